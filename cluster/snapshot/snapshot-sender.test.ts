import { describe, expect, test } from 'vitest'
import { ManualClock } from '../testing/manual-clock.ts'
import { SeededRandom } from '../testing/seeded-random.ts'
import type { SnapshotSource } from '../state-machine.ts'
import { PeerFrameKind } from '../transport/peer-frame.ts'
import { decodeChunk, type SnapshotAck } from './snapshot-frames.ts'
import { SnapshotSender } from './snapshot-sender.ts'

const PEER = 'b2b2b2b2b2b2b2b2'
/** Before the body of a frame. */
const HEADER_BYTES = 9

function fixture() {
  const clock = new ManualClock()
  const offers: { id: number }[] = []
  const finished: boolean[] = []
  const leads = { term: 2 as number | null }
  /** Offsets of the chunks that were handed to the link, of `bytes`. */
  const chunks: number[] = []
  const bytes = { total: 3, chunk: 3 }
  let closed = 0
  const source: SnapshotSource = {
    meta: { index: 40, term: 2, configuration: { voters: [], outgoing: [], learners: [] } },
    read: async (offset) => {
      const length = Math.min(bytes.chunk, bytes.total - offset)
      return { bytes: new Uint8Array(length), last: offset + length === bytes.total }
    },
    close: async () => void (closed += 1),
  }
  const sender = new SnapshotSender({
    clock,
    random: new SeededRandom(1),
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    leadingTerm: () => leads.term,
    openSnapshot: async () => source,
    send: (_to, frame) => chunks.push(decodeChunk(frame.subarray(HEADER_BYTES)).offset) > 0,
    sendJson: (_to, kind, value) => {
      if (kind === PeerFrameKind.snapshotOffer) offers.push(value as { id: number })
      return true
    },
    onFinished: (_to, ok, index) => {
      expect(index).toBe(source.meta.index)
      finished.push(ok)
    },
  })
  const answer = (state: SnapshotAck['state'], offset = 0): void =>
    sender.acknowledged(PEER, { id: offers.at(-1)!.id, offset, state })
  return { clock, leads, sender, offers, chunks, bytes, finished, answer, closed: () => closed }
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 10; i += 1) await Promise.resolve()
}

describe('sending snapshots', () => {
  test('[K3] the log behind a snapshot is pinned while it is sent, and while it may be installed', async () => {
    const { clock, sender, answer, finished } = fixture()
    expect(sender.pinnedIndex).toBe(Infinity)
    sender.start(PEER)
    await settle()
    expect(sender.pinnedIndex).toBe(40)
    answer('done')
    expect(finished).toEqual([true])
    expect(sender.pinnedIndex).toBe(40)
    clock.advance(31_000)
    expect(sender.pinnedIndex).toBe(Infinity)
  })

  test('[K6] a peer that gives a snapshot up pins nothing, and its source is closed', async () => {
    const { sender, answer, closed, finished } = fixture()
    sender.start(PEER)
    await settle()
    answer('failed')
    expect([finished, closed(), sender.pinnedIndex]).toEqual([[false], 1, Infinity])
  })

  test('[K6] a peer that took more than it was sent is believed in nothing', async () => {
    const { sender, offers, closed, finished } = fixture()
    sender.start(PEER)
    await settle()
    sender.acknowledged(PEER, { id: offers[0]!.id, offset: 0, state: 'more' })
    await settle()
    sender.acknowledged(PEER, { id: offers[0]!.id, offset: 4, state: 'more' })
    expect([finished, closed(), sender.active]).toEqual([[false], 1, 0])
  })

  test('[K6] a peer that was slow once is not sent everything twice from then on', async () => {
    const { clock, sender, chunks, bytes, offers, answer } = fixture()
    bytes.total = 30
    sender.start(PEER)
    await settle()
    answer('more')
    await settle()
    // Its disk takes four seconds over one chunk: it is asked four times, and then answers all.
    clock.advance(4_100)
    expect(offers.length).toBeGreaterThan(3)
    for (let i = 0; i < offers.length; i += 1) {
      answer('more', 3)
      await settle()
    }
    for (let offset = 6; offset < 30; offset += 3) {
      answer('more', offset)
      answer('more', offset)
      await settle()
    }
    expect(chunks).toEqual([0, 3, 6, 9, 12, 15, 18, 21, 24, 27])
  })

  test('[K6] what a broken link swallowed is sent again, the empty end of it too', async () => {
    const { clock, sender, chunks, answer } = fixture()
    sender.start(PEER)
    await settle()
    answer('more')
    await settle()
    answer('more')
    await settle()
    expect(chunks).toEqual([0])
    clock.advance(1_500)
    answer('more')
    await settle()
    expect(chunks).toEqual([0, 0])
    clock.advance(1_500)
    answer('more', 3)
    await settle()
    expect(chunks).toEqual([0, 0, 3])
  })

  test('[K6] a peer that reads back what it has is waited for, the longer the more it is', async () => {
    const { clock, sender, bytes, answer, finished } = fixture()
    const checks = async (forMs: number) => {
      for (let waited = 0; waited < forMs; waited += 500) {
        clock.advance(500)
        answer('more', bytes.total)
        await settle()
      }
    }
    // Twenty seconds' worth, beside the thirty that nothing at all may happen for.
    bytes.total = bytes.chunk = 40_000_000
    sender.start(PEER)
    await settle()
    answer('more')
    await settle()
    await checks(45_000)
    expect(finished).toEqual([])
    await checks(10_000)
    expect(finished).toEqual([false])
  })

  test('[K6] who leads no more offers nothing in the name of the new term', async () => {
    const { clock, leads, sender, offers, closed, finished } = fixture()
    sender.start(PEER)
    await settle()
    leads.term = null
    clock.advance(3_000)
    expect([offers.length, closed(), finished, sender.active]).toEqual([1, 1, [false], 0])
    sender.start(PEER)
    await settle()
    expect([offers.length, closed(), sender.active]).toEqual([1, 2, 0])
  })

  test('[K6] a snapshot that opens after the end is closed at once and sent to nobody', async () => {
    const { clock, sender, offers, closed } = fixture()
    sender.start(PEER)
    sender.close()
    await settle()
    clock.advance(60_000)
    expect([offers.length, closed(), sender.active]).toEqual([0, 1, 0])
  })
})
