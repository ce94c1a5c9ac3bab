import { describe, expect, test } from 'vitest'
import { runScenario, runSeed } from './run-seed.ts'
import { drawScenario } from './scenario.ts'
import type { Swarm } from './swarm.ts'

const busy: Partial<Swarm> = {
  ...{ nodes: 3, devices: 4, conversations: 2, thinkMs: 40, window: 4, sdkShare: 1 },
  ...{ faultEveryMs: 600, crashShare: 0 },
}

describe('members that come and go', () => {
  test(
    '[R20] [R25] [MR8] [AD13] under load, while nodes die and links break',
    { timeout: 120_000 },
    async () => {
      const faults = ['addMember', 'removeMember', 'replaceMember', 'kill', 'isolate'] as const
      const sum = { added: 0, removed: 0, snapshots: 0, judged: 0, looked: 0 }
      for (const seed of [1, 2, 3, 4, 5, 6]) {
        const { violation, stats } = await runSeed({
          seed,
          safetyMs: 6_000,
          swarm: { ...busy, faults },
        })
        expect(violation, `seed ${seed}`).toBeNull()
        sum.added += stats.members.added
        sum.removed += stats.members.removed
        sum.snapshots += stats.snapshots
        sum.looked += stats.looked > 0 ? 1 : 0
        for (const verdict of ['ok', 'warn', 'refuse']) {
          sum.judged += stats.memberAnswers[verdict] ?? 0
        }
      }
      expect(sum.added).toBeGreaterThan(1)
      expect(sum.removed).toBeGreaterThan(0)
      expect(sum.snapshots).toBeGreaterThan(0)
      expect(sum.judged).toBeGreaterThan(3)
      expect(sum.looked).toBeGreaterThan(3)
    },
  )

  test('[R20] [MR7] a leader that is removed right after the beginning ends', async () => {
    const scenario = drawScenario(2, 3_000, { ...busy, faults: [] })
    const faults = [{ atMs: 10, kind: 'removeMember', target: ['leader'] }] as const
    const { violation, stats } = await runScenario({ ...scenario, faults })
    expect(violation).toBeNull()
    expect(stats.members.removed).toBe(1)
  })

  test('[R20] a node that takes itself for removed is noticed', async () => {
    const scenario = drawScenario(1, 2_000, { ...busy, faults: [] })
    const { violation } = await runScenario(scenario, {
      prepare: ({ nodes, scheduler }) => {
        const leave = () => {
          if ((nodes[1]!.parley?.replica ?? null) === null) scheduler.after(100, null, leave)
          else void nodes[1]!.parley!.drain(0)
        }
        scheduler.after(3_000, null, leave)
      },
    })
    expect(violation?.property).toBe('R20')
  })

  test('[R23] [DR2] a node that stays in service although it is taken out of it is noticed', async () => {
    const scenario = drawScenario(1, 1_000, { ...busy, faults: [] })
    const { violation } = await runScenario(scenario, {
      prepare: ({ nodes, scheduler }) => {
        const undo = () => {
          for (const { name, parley } of nodes) {
            void parley?.operate({ operation: 'node.undrain', node: name })
          }
          scheduler.after(5, null, undo)
        }
        scheduler.after(100, null, undo)
      },
    })
    expect(violation?.property).toBe('R23')
  })

  test('[P15] no send fails because nodes are drained', async () => {
    let drained = 0
    for (const seed of [1, 2, 3, 4]) {
      const swarm = { ...busy, faults: ['drain'], faultEveryMs: 1_500 } as const
      const scenario = drawScenario(seed, 6_000, swarm)
      const patient = { listening: 'conversations', bufferedEvents: 8, retry: {} } as const
      const devices = scenario.devices.map((who) => (who.sdk ? { ...who, sdk: patient } : who))
      const { violation, stats } = await runScenario({ ...scenario, devices })
      expect(violation, `seed ${seed}`).toBeNull()
      expect(stats.sdk.retried).toBe(0)
      expect(stats.sdk.delivered).toBeGreaterThan(100)
      drained += stats.evidence.drain ?? 0
    }
    expect(drained).toBeGreaterThan(8)
  })
})
