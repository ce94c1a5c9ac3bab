import { describe, expect, it } from 'vitest'
import { decodeFrames, encodeFrame } from '#protocol'
import { EncodedMark } from './frame-joiner.ts'
import { SessionReads } from './session-reads.ts'
import { FrameState, SendQueue } from './send-queue.ts'
import { TokenBucket } from './token-bucket.ts'

describe('read queue', () => {
  const tick = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await Promise.resolve()
  }

  it('[GW12] starts reads in order, so many at once, and goes on when one ends', async () => {
    const queue = new SessionReads(2, () => true)
    const started: number[] = []
    const ends: (() => void)[] = []
    for (let i = 0; i < 5; i++) {
      queue.push(() => {
        started.push(i)
        return new Promise((resolve) => ends.push(resolve))
      })
    }
    expect(started).toEqual([0, 1])
    ends[1]!()
    await tick()
    expect(started).toEqual([0, 1, 2])
    ends[0]!()
    ends[2]!()
    await tick()
    expect(started).toEqual([0, 1, 2, 3, 4])
  })

  it('[GW24] starts nothing while it may not, and forgets what it is told to', async () => {
    let may = false
    const queue = new SessionReads(2, () => may)
    const started: number[] = []
    const read = (i: number) => async () => void started.push(i)
    queue.push(read(1))
    expect(started).toEqual([])
    may = true
    queue.resume()
    expect(started).toEqual([1])
    may = false
    queue.push(read(2))
    queue.clear()
    may = true
    queue.resume()
    await tick()
    expect(started).toEqual([1])
  })
})

describe('send queue', () => {
  it('[GW21] does not mark twice what carries its mark', () => {
    const queue = new SendQueue()
    const frame = { t: 'ping:A', id: 1, now: 2, mark: 'own' } as const
    queue.push(encodeFrame(frame, 'parley.v1.json'), FrameState.marked)
    const sent: string[] = []
    queue.flush(new EncodedMark('other'), (message) => sent.push(message as string))
    expect(sent).toHaveLength(1)
    expect(sent[0]?.match(/mark/g)).toHaveLength(1)
    expect(decodeFrames(sent[0]!, 'parley.v1.json', 'toClient')).toEqual([frame])
    expect(queue).toMatchObject({ length: 0, bytes: 0 })
  })
})

describe('token bucket', () => {
  it('[GW6] never saves up more than a second', () => {
    const bucket = new TokenBucket(2, 0)
    const taken = Array.from({ length: 5 }, () => bucket.take(60_000))
    expect(taken).toEqual([true, true, false, false, false])
    expect(bucket.take(60_400)).toBe(false)
    expect(bucket.take(60_500)).toBe(true)
  })
})
