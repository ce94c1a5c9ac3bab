import { describe, expect, test } from 'vitest'
import { decodeFrames, encodeFrame, joinFrames, type ServerFrame } from '#protocol'
import { runScenario, runSeed } from '../simulation/run-seed.ts'
import { drawScenario } from '../simulation/scenario.ts'
import type { SimWorld } from '../simulation/sim-world.ts'

const SUBPROTOCOL = 'parley.v1.msgpack'
const SEEDS = [1, 2, 4, 6, 9]

describe('applications on the SDK', () => {
  test('[P14] [P15] live through what breaks', async () => {
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

/** A page from which the second event is gone. What is pushed is a notify: pages alone show events. */
function withoutOne(message: Uint8Array | string): Uint8Array | string {
  const frames = decodeFrames(message, SUBPROTOCOL, 'toClient') as ServerFrame[]
  const kept = frames.map((frame): ServerFrame => {
    if ('error' in frame) return frame
    if (frame.t === 'msg:N') return { t: 'msg:N', conv: frame.conv, seq: frame.seq }
    if (frame.t !== 'pull:A' || frame.events.length <= 2) return frame
    return { ...frame, events: frame.events.filter((_, at) => at !== 1) }
  })
  return joinFrames(kept.map((frame) => encodeFrame(frame, SUBPROTOCOL)))
}
