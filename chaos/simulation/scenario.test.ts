import { describe, expect, test } from 'vitest'
import { drawScenario } from './scenario.ts'

describe('a scenario', () => {
  test('draws chunks of snapshots that leave a cluster the time to recover', () => {
    const drawn = [4026757966, ...Array.from({ length: 60 }, (_, at) => at)].map((seed) => {
      const { link, profile, operations } = drawScenario(seed, 5_000)
      const { snapshotChunkBytes, tickMs } = profile.replica
      const sent = operations.flatMap((one) => (one.kind === 'send' ? [300 + one.padding] : []))
      const chunks = sent.reduce((sum, bytes) => sum + bytes, 0) / snapshotChunkBytes!
      const roundMs = 2 * (link.delayMs + link.jitterMs / 4)
      return { chunks, ticks: (chunks * roundMs) / tickMs! }
    })
    expect(Math.max(...drawn.map(({ ticks }) => ticks))).toBeLessThan(60)
    // Small ones are still drawn.
    expect(Math.max(...drawn.map(({ chunks }) => chunks))).toBeGreaterThan(30)
  })

  test('lets no application read for minutes what others wrote within seconds', () => {
    const waits = [64000065, ...Array.from({ length: 60 }, (_, at) => at)].flatMap((seed) => {
      const { link, devices, operations } = drawScenario(seed, 30_000)
      const sent = operations.filter(({ kind }) => kind === 'send').length
      const roundMs = 2 * (link.delayMs + link.jitterMs / 4)
      return devices.flatMap(({ sdk }) =>
        sdk === undefined ? [] : [(sent * roundMs) / sdk.bufferedEvents],
      )
    })
    expect(waits.length).toBeGreaterThan(30)
    expect(Math.max(...waits)).toBeLessThan(60_000)
  })
})
