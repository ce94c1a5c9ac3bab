import { describe, expect, test } from 'vitest'
import { runScenario, runSeed } from '../simulation/run-seed.ts'
import { drawScenario } from '../simulation/scenario.ts'

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
    const swarm = {
      sdkShare: 1,
      nodes: 1,
      faults: [],
      conversations: 1,
      pullShare: 0,
      moveShare: 0.05,
    }
    const scenario = drawScenario(3, 2_000, swarm)
    const devices = scenario.devices.map((who) => ({
      ...who,
      subprotocol: 'parley.v1.json' as const,
      ...(who.sdk && { sdk: { ...who.sdk, listening: 'conversations' as const } }),
    }))
    const { violation } = await runScenario(
      { ...scenario, devices },
      {
        prepare: ({ clients }) => {
          const connect = clients.connect.bind(clients)
          clients.connect = (from, address, subprotocol, events) =>
            connect(from, address, subprotocol, {
              ...events,
              onOpen: () => events.onOpen(),
              onClose: (code) => events.onClose(code),
              onMessage: (message) =>
                events.onMessage(from === 'device-2' ? withoutOne(message) : message),
            })
        },
      },
    )
    expect(violation?.property).toBe('P14')
  })
})

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
