import { describe, expect, test } from 'vitest'
import { runScenario, runSeed } from '../simulation/run-seed.ts'
import { drawScenario } from '../simulation/scenario.ts'
import type { SimWorld } from '../simulation/sim-world.ts'

const SEEDS = [1, 2, 4, 6, 9]

describe('applications on the SDK', () => {
  test('[P14] [P15] live through what breaks', { timeout: 120_000 }, async () => {
    const sum = { lives: 0, sessions: 0, delivered: 0, retried: 0, restored: 0 }
    for (const seed of SEEDS) {
      const swarm = { sdkShare: 1, crashShare: 0.005 }
      const { violation, stats } = await runSeed({ seed, safetyMs: 6_000, swarm })
      expect(violation, `seed ${seed}`).toBeNull()
      expect(stats.acknowledged).toBeGreaterThan(0)
      for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += stats.sdk[name]
    }
    // Each of it was there to go wrong.
    expect(sum.lives).toBeGreaterThan(20)
    expect(sum.sessions).toBeGreaterThan(sum.lives)
    expect(sum.delivered).toBeGreaterThan(500)
    expect(sum.retried).toBeGreaterThan(0)
    expect(sum.restored).toBeGreaterThan(0)
  })

  test('[P14] a node that leaves an event out of its pages is noticed', async () => {
    const found = new Set<string | undefined>()
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const swarm = { sdkShare: 1, nodes: 1, faults: [], conversations: 1, moveShare: 0.05 }
      const scenario = drawScenario(seed, 2_000, swarm)
      const devices = scenario.devices.map((who) => ({
        ...who,
        subprotocol: 'parley.v1.json' as const,
        ...(who.sdk && { sdk: { ...who.sdk, listening: 'conversations' as const } }),
      }))
      const { violation } = await runScenario({ ...scenario, devices }, { prepare: loseOne })
      found.add(violation?.property)
    }
    expect(found).toContain('P14')
  })
})

/** Pages come to the second device without their second event. */
function loseOne({ clients }: SimWorld): void {
  const connect = clients.connect.bind(clients)
  clients.connect = (from, address, subprotocol, events) =>
    connect(from, address, subprotocol, {
      onOpen: () => events.onOpen(),
      onClose: (code) => events.onClose(code),
      onMessage: (message) => events.onMessage(from === 'device-2' ? withoutOne(message) : message),
    })
}

/** A page from which the second event is gone; all else as it was. */
function withoutOne(message: Uint8Array | string): Uint8Array | string {
  if (typeof message !== 'string') return message
  const text = JSON.parse(message) as object
  const frames = (Array.isArray(text) ? text : [text]) as { t: string; events?: unknown[] }[]
  const kept = frames.map((frame) =>
    frame.t === 'pull:A' && (frame.events?.length ?? 0) > 2
      ? { ...frame, events: frame.events!.filter((_, at) => at !== 1) }
      : frame,
  )
  return JSON.stringify(kept)
}
