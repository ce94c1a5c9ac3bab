import { expect, test } from 'vitest'
import { runScenario } from '../simulation/run-seed.ts'
import type { Scenario } from '../simulation/scenario.ts'

/**
 * The data directory's own name is not synced: n1 loses power as the first leader is elected and comes
 * back without its vote. 20 faults, 301 ops → 1 fault, no operation.
 */
const scenario: Scenario = {
  seed: 1,
  safetyMs: 147,
  nodes: 1,
  link: {
    delayMs: 10,
    jitterMs: 0.2,
    lossShare: 0,
    corruptShare: 0,
    splitShare: 0.2,
  },
  profile: {
    replica: {
      tickMs: 30,
      electionTicks: 10,
      maxBatchBytes: 512,
    },
    gateway: {
      flushSlice: 1,
      maxPageEvents: 100,
    },
    log: {
      segmentBytes: 524288,
    },
    state: {
      checkpointBytes: 65536,
      checkpointIdleMs: 2000,
      hotBytes: 0,
      conversations: 1000,
      verdicts: 200,
      chunkBytes: 16384,
    },
    disk: {
      operationMs: 1,
      syncMs: [0.05, 0.3],
      inlineShare: 0.5,
      capacityBytes: Infinity,
    },
    database: {
      readMs: 0.05,
      writeMs: 1,
    },
    clockDrift: 0,
    timerLatenessMs: 0.2,
    lookMs: 0.2,
  },
  conversations: 1,
  window: 16,
  devices: [
    {
      device: 'device-1',
      user: 'user-1',
      subprotocol: 'parley.v1.json',
    },
  ],
  faults: [
    {
      atMs: 43.653,
      kind: 'power',
      target: ['leader', 'n2'],
      forMs: 2814.57,
    },
  ],
  operations: [],
}

test('[R8] data-directory-name', async () => {
  const { violation } = await runScenario(scenario)
  expect(violation).toBeNull()
})
