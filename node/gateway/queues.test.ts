import { describe, expect, it } from 'vitest'
import { decodeFrames, encodeFrame } from '#protocol'
import { EncodedMark } from './frame-joiner.ts'
import { SessionReads } from './session-reads.ts'
import { FrameState, SendQueue } from './send-queue.ts'
import { TokenBucket } from './token-bucket.ts'
import { WritesInFlight } from './writes-in-flight.ts'

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

describe('writes in flight', () => {
  it('are those that were started, settled ones until they are forgotten', () => {
    const writes = new WritesInFlight()
    for (const msgId of ['m1', 'm2', 'm3']) writes.started(msgId)
    writes.settled('m1')
    expect(['m1', 'm2', 'm3', 'm4'].map((msgId) => writes.has(msgId))).toEqual([
      true,
      true,
      true,
      false,
    ])
    writes.forgetSettled()
    expect(['m1', 'm2', 'm3'].map((msgId) => writes.has(msgId))).toEqual([false, true, true])
  })

  it('may settle out of turn, and be the same twice', () => {
    const writes = new WritesInFlight()
    for (const msgId of ['m1', 'm2', 'm1', 'm3']) writes.started(msgId)
    writes.settled('m3')
    writes.settled('m1')
    writes.settled('m9')
    writes.forgetSettled()
    expect(['m1', 'm2', 'm3'].map((msgId) => writes.has(msgId))).toEqual([true, true, false])
    writes.settled('m2')
    writes.settled('m1')
    writes.forgetSettled()
    expect(['m1', 'm2', 'm3'].map((msgId) => writes.has(msgId))).toEqual([false, false, false])
  })

  it('never grow by what is over', () => {
    const writes = new WritesInFlight()
    writes.started('first')
    for (let i = 0; i < 5_000; i += 1) {
      writes.started(`m${i}`)
      writes.settled(`m${i}`)
      writes.forgetSettled()
    }
    writes.started('last')
    expect([writes.has('first'), writes.has('m4999'), writes.has('last')]).toEqual([
      true,
      false,
      true,
    ])
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
