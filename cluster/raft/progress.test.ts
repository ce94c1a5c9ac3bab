import { expect, test } from 'vitest'
import { Progress } from './progress.ts'

const LIMITS = { maxInflightMessages: 4, maxInflightBytes: 1000 }

test.each([
  { streamed: 14, next: 15 },
  { streamed: 10, next: 11 },
  { streamed: 0, next: 11 },
])(
  '[SN1] a peer that was asked to take #10 and took #$streamed goes on at #$next',
  ({ streamed, next }) => {
    const progress = new Progress(5, false, LIMITS)
    progress.becomeSnapshot(10)
    progress.snapshotTaken(streamed)
    expect(progress).toMatchObject({ state: 'probe', next, snapshotIndex: 0 })
    expect(progress.paused).toBe(false)
  },
)
