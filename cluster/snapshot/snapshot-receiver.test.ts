import { describe, expect, test } from 'vitest'
import { assert } from '../assert.ts'
import type { SnapshotSink } from '../state-machine.ts'
import type { PeerFrameKind } from '../transport/peer-frame.ts'
import type { SnapshotAck, SnapshotOffer } from './snapshot-frames.ts'
import { SnapshotReceiver } from './snapshot-receiver.ts'

const PEER = 'b2b2b2b2b2b2b2b2'
const configuration = { voters: [], outgoing: [], learners: [] }
const offer: SnapshotOffer = { id: 7, term: 3, meta: { index: 40, term: 2, configuration } }

function fixture() {
  const acks: SnapshotAck[] = []
  const fatal: Error[] = []
  const warned: string[] = []
  const received: SnapshotOffer[] = []
  const world = { room: true, aborted: 0, fails: (): void => {}, disk: Promise.resolve() }
  const sink = {
    offset: 0,
    write: async (bytes: Uint8Array) => {
      world.fails()
      await world.disk
      sink.offset += bytes.length
    },
    finish: async () => world.disk,
    activate: async () => {},
    abort: async () => void (world.aborted += 1),
  } satisfies SnapshotSink
  const receiver = new SnapshotReceiver({
    logger: { debug() {}, info() {}, warn() {}, error: (event) => void warned.push(event) },
    hasRoom: () => world.room,
    worthTaking: () => true,
    beginInstall: async () => sink,
    sendJson: (_to, _kind: PeerFrameKind, ack) => acks.push(ack as SnapshotAck) > 0,
    onReceived: (_from, of) => received.push(of),
    onFatal: (error) => fatal.push(error),
  })
  const chunk = (offset: number, last = false) =>
    receiver.chunk({ id: offer.id, offset, last, bytes: new Uint8Array(5) })
  return { receiver, world, acks, fatal, warned, received, chunk }
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i += 1) await Promise.resolve()
}

describe('receiving snapshots', () => {
  test('[K6] chunk after chunk, from where it stands, to the end', async () => {
    const { receiver, acks, received, chunk } = fixture()
    receiver.offered(PEER, offer)
    await settle()
    chunk(0)
    await settle()
    chunk(0)
    chunk(5, true)
    await settle()
    expect(acks.map(({ offset, state }) => [offset, state])).toEqual([
      [0, 'more'],
      [5, 'more'],
      [5, 'more'],
      [10, 'done'],
    ])
    expect(received).toEqual([offer])
  })

  test('[K6] while it writes or checks, an offer of the same stream is answered at once', async () => {
    const { receiver, world, acks, received, chunk } = fixture()
    receiver.offered(PEER, offer)
    await settle()
    let goOn = (): void => {}
    world.disk = new Promise((resolve) => (goOn = resolve))
    chunk(0, true)
    await settle()
    receiver.offered(PEER, offer)
    expect(acks.slice(1)).toEqual([{ id: 7, offset: 5, state: 'more' }])
    goOn()
    await settle()
    expect([acks.at(-1)!.state, received]).toEqual(['done', [offer]])
  })

  test('[K6] what waits is bounded, however much is sent and offered', async () => {
    const { receiver, world, acks, chunk } = fixture()
    receiver.offered(PEER, offer)
    await settle()
    let goOn = (): void => {}
    world.disk = new Promise((resolve) => (goOn = resolve))
    for (let offset = 0; offset < 50; offset += 5) chunk(offset)
    for (let id = 8; id < 20; id += 1) receiver.offered(PEER, { ...offer, id })
    goOn()
    await settle()
    // Two chunks of ten were taken, then the newest of twelve offers, and no other.
    expect(acks.filter(({ id }) => id === 7).at(-1)).toEqual({ id: 7, offset: 10, state: 'more' })
    expect(acks.filter(({ id }) => id > 7)).toEqual([{ id: 19, offset: 10, state: 'more' }])
  })

  test('[K6] an offer while one takes over is not answered: it comes again', async () => {
    const { receiver, world, acks } = fixture()
    world.room = false
    receiver.offered(PEER, offer)
    await settle()
    expect(acks).toEqual([])
    world.room = true
    receiver.offered(PEER, offer)
    await settle()
    expect(acks).toEqual([{ id: 7, offset: 0, state: 'more' }])
  })

  test('[K6] a damaged stream is given up, and the next one taken', async () => {
    const { receiver, world, acks, fatal, warned, chunk } = fixture()
    world.fails = () => {
      throw new Error('the snapshot cannot be used')
    }
    receiver.offered(PEER, offer)
    await settle()
    chunk(0)
    await settle()
    expect([acks.at(-1)!.state, world.aborted, warned]).toEqual(['failed', 1, ['snapshot.failed']])
    receiver.offered(PEER, { ...offer, id: 8 })
    await settle()
    expect([acks.at(-1), fatal]).toEqual([{ id: 8, offset: 0, state: 'more' }, []])
  })

  test('[PF2] a broken invariant on the way ends the process', async () => {
    const { receiver, world, acks, fatal, chunk } = fixture()
    world.fails = () => assert(false, 'a snapshot is written out of turn')
    receiver.offered(PEER, offer)
    await settle()
    chunk(0)
    await settle()
    expect(fatal.map(({ message }) => message)).toEqual(['a snapshot is written out of turn'])
    expect(acks.length).toBe(1)
  })
})
