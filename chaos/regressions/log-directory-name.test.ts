import { expect, test } from 'vitest'
import { runScenario } from '../simulation/run-seed.ts'
import type { Scenario } from '../simulation/scenario.ts'

/**
 * The names of the log and of the store in the data directory are not synced: the leader loses power
 * and comes back with nothing. 15 faults, 897 ops → 1 fault, 2 operations.
 */
const scenario: Scenario = {
  seed: 4,
  safetyMs: 4000,
  nodes: 2,
  link: {
    delayMs: 0.5,
    jitterMs: 0.2,
    lossShare: 0,
    corruptShare: 0,
    splitShare: 0.01,
  },
  profile: {
    replica: {
      tickMs: 100,
      electionTicks: 10,
      maxBatchBytes: 262144,
    },
    gateway: {
      flushSlice: 1,
      maxPageEvents: 7,
    },
    log: {
      segmentBytes: 524288,
    },
    state: {
      checkpointBytes: 1048576,
      checkpointIdleMs: 150,
      hotBytes: 1048576,
      conversations: 1000,
      verdicts: 20000,
      chunkBytes: 200,
    },
    disk: {
      operationMs: 0.05,
      syncMs: [1, 80],
      inlineShare: 0.5,
      capacityBytes: Infinity,
    },
    database: {
      readMs: 0.05,
      writeMs: 1,
    },
    clockDrift: 0.002,
    timerLatenessMs: 0.2,
    lookMs: 0.2,
  },
  conversations: 2,
  window: 50,
  devices: [
    {
      device: 'device-1',
      user: 'user-1',
      subprotocol: 'parley.v1.json',
    },
    {
      device: 'device-4',
      user: 'user-2',
      subprotocol: 'parley.v1.json',
    },
  ],
  faults: [
    {
      atMs: 476.819,
      kind: 'power',
      target: ['leader', 'n1'],
      forMs: 7331.788,
    },
  ],
  operations: [
    {
      atMs: 171.837,
      device: 'device-1',
      kind: 'send',
      conversation: 0,
      padding: 0,
    },
    {
      atMs: 198.201,
      device: 'device-4',
      kind: 'send',
      conversation: 1,
      padding: 0,
    },
  ],
}

test('[R10] log-directory-name', async () => {
  const { violation } = await runScenario(scenario)
  expect(violation).toBeNull()
})
