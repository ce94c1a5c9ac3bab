import { describe, expect, test } from 'vitest'
import { forgettableIndex, type RetentionView } from './log-retention.ts'
import type { PeerStatus } from './raft/ready.ts'

const peer = (id: string, match: number): PeerStatus => {
  const common = { next: match + 1, learner: false, active: true, inflight: 0 }
  return { id, state: 'replicate', match, ...common }
}

const view = (fields: Partial<RetentionView>): RetentionView => ({
  compactable: 100,
  firstIndex: 11,
  logBytes: 1_000,
  trailingBytes: 2_000,
  pinned: Infinity,
  peers: [],
  self: 'a',
  ...fields,
})

describe('how much of the log is kept', () => {
  test('[K3] everything that the cut before the last does not cover', () => {
    expect(forgettableIndex(view({}))).toBe(100)
    expect(forgettableIndex(view({ peers: [peer('a', 50), peer('b', 120)] }))).toBe(100)
  })

  test('[K3] what follows a snapshot that is on its way, however large the log', () => {
    expect(forgettableIndex(view({ pinned: 60 }))).toBe(60)
    expect(forgettableIndex(view({ pinned: 60, logBytes: 9_000 }))).toBe(60)
  })

  test('[K3] what a peer that lags goes on with, up to the trailing bound', () => {
    const peers = [peer('a', 120), peer('b', 40), peer('c', 90)]
    expect(forgettableIndex(view({ peers }))).toBe(40)
    expect(forgettableIndex(view({ peers, logBytes: 2_001 }))).toBe(100)
  })

  test('[K3] nothing for a peer whose next entry is gone', () => {
    expect(forgettableIndex(view({ peers: [peer('b', 9)] }))).toBe(100)
    expect(forgettableIndex(view({ peers: [peer('b', 10)] }))).toBe(10)
  })
})
