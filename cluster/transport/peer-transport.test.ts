import { describe, expect, test } from 'vitest'
import { ManualClock } from '../testing/manual-clock.ts'
import { SeededRandom } from '../testing/seeded-random.ts'
import type { Connection, Network } from '../ports.ts'
import { encodeJsonFrame, encodePeerFrame, PeerFrameKind } from './peer-frame.ts'
import type { PeerHello } from './peer-hello.ts'
import { PeerTransport } from './peer-transport.ts'

const hello = (name: string, raftId: string): PeerHello => {
  const cluster = { clusterId: '07'.repeat(16), epoch: '07'.repeat(8) }
  return { protocol: { min: 1, max: 1 }, ...cluster, raftId: raftId.repeat(16), name }
}

class Dialled implements Connection {
  readonly remote = 'peer:1'
  readonly written: Uint8Array[] = []
  destroyed = false
  onData: (bytes: Uint8Array) => void = () => {}
  onClose: (error: Error | null) => void = () => {}
  bufferedBytes = (): number => 0
  write = (bytes: Uint8Array): void => void this.written.push(bytes)
  destroy = (): void => void (this.destroyed = true)
}

async function listening() {
  const clock = new ManualClock()
  const frames: number[] = []
  let accept: (connection: Connection) => void = () => {}
  const network: Network = {
    listen: async (address, onConnection) => {
      accept = onConnection
      return { address, close: async () => {} }
    },
    connect: () => Promise.reject(new Error('nobody is there')),
  }
  const transport = new PeerTransport({
    ports: { network, clock, random: new SeededRandom(1) },
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    local: () => hello('n1', 'a'),
    events: {
      onPeerUp: () => {},
      onPeerDown: () => {},
      onFrame: (_from, kind) => frames.push(kind),
    },
  })
  await transport.listen('n1:1')
  const dial = (): Dialled => {
    const connection = new Dialled()
    accept(connection)
    return connection
  }
  return { clock, frames, dial }
}

const header = (length: number): Uint8Array => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(length)
  return bytes
}

describe('who dials this node', () => {
  test('K8 gets no memory for a large frame before it has said who it is', async () => {
    const { frames, dial } = await listening()
    const stranger = dial()
    stranger.onData(header(1 << 20))
    expect(stranger.destroyed).toBe(true)
    const peer = dial()
    peer.onData(encodeJsonFrame(PeerFrameKind.hello, hello('n2', 'b')))
    peer.onData(encodePeerFrame(PeerFrameKind.raft, new Uint8Array(1 << 20)))
    expect([peer.destroyed, frames]).toEqual([false, [PeerFrameKind.raft]])
  })

  test('K8 is ended if it does not say who it is in time, however busy it keeps', async () => {
    const { clock, dial } = await listening()
    const stranger = dial()
    const peer = dial()
    peer.onData(encodeJsonFrame(PeerFrameKind.hello, hello('n2', 'b')))
    stranger.onData(header(1_000))
    for (let i = 0; i < 10; i += 1) {
      clock.advance(500)
      if (!stranger.destroyed) stranger.onData(new Uint8Array(1))
      peer.onData(encodePeerFrame(PeerFrameKind.ping, new Uint8Array(0)))
    }
    expect([stranger.destroyed, peer.destroyed]).toEqual([true, false])
  })
})
