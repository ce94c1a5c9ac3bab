import { describe, expect, test } from 'vitest'
import { AssertionError, assert } from '../assert.ts'
import type { Connection, Network } from '../ports.ts'
import { ManualClock } from '../testing/manual-clock.ts'
import { SeededRandom } from '../testing/seeded-random.ts'
import { PeerFrameKind, PeerProtocolError } from './peer-frame.ts'
import { encodeJsonFrame, encodePeerFrame } from './peer-frame-writer.ts'
import type { PeerHello } from './peer-hello.ts'
import { PeerTransport } from './peer-transport.ts'

const hello = (name: string, raftId: string): PeerHello => {
  const cluster = { clusterId: '07'.repeat(16), epoch: '07'.repeat(8) }
  return { protocol: { min: 1, max: 1 }, ...cluster, raftId: raftId.repeat(16), name }
}
const helloFrame = encodeJsonFrame(PeerFrameKind.hello, hello('n2', 'b'))
const raftFrame = (bytes = 1): Uint8Array =>
  encodePeerFrame(PeerFrameKind.raft, new Uint8Array(bytes))

class Wire implements Connection {
  readonly remote = 'peer:1'
  readonly written: Uint8Array[] = []
  destroyed = false
  onData: (bytes: Uint8Array) => void = () => {}
  onClose: (error: Error | null) => void = () => {}
  bufferedBytes = (): number => 0
  write = (bytes: Uint8Array): void => void this.written.push(bytes)
  destroy = (): void => {
    if (this.destroyed) return
    this.destroyed = true
    this.onClose(null)
  }
}

async function listening() {
  const clock = new ManualClock()
  const frames: number[] = []
  const fatal: Error[] = []
  const warnings: [string, Record<string, unknown> | undefined][] = []
  const down: string[] = []
  const removed: number[] = []
  const dialled: Wire[] = []
  const host = {
    reads: (_kind: number): void => {},
    handles: (kind: number): void => void frames.push(kind),
    up: (): void => {},
    called: (): number => 0,
  }
  let accept: (connection: Connection) => void = () => {}
  const network: Network = {
    listen: async (address, onConnection) => {
      accept = onConnection
      return { address, close: async () => {} }
    },
    connect: async () => {
      dialled.push(new Wire())
      return dialled.at(-1)!
    },
  }
  const transport = new PeerTransport({
    ports: { network, clock, random: new SeededRandom(1) },
    logger: {
      debug() {},
      info() {},
      warn: (event, fields) => void warnings.push([event, fields]),
      error() {},
    },
    local: () => hello('n1', 'a'),
    memberName: (id) => (id === 'c'.repeat(16) ? 'n3' : null),
    events: {
      onPeerUp: () => host.up(),
      onPeerDown: ({ name }) => down.push(name),
      onCaller: () => host.called(),
      onForeignCaller: () => {},
      onRemoved: (index) => removed.push(index),
      readFrame: (_from, kind) => {
        host.reads(kind)
        return () => host.handles(kind)
      },
      onFatal: (error) => fatal.push(error),
    },
  })
  await transport.listen('n1:1')
  const dial = (): Wire => {
    const connection = new Wire()
    accept(connection)
    return connection
  }
  return { clock, transport, host, frames, fatal, warnings, down, removed, dialled, dial }
}

const header = (length: number): Uint8Array => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(length)
  return bytes
}

describe('who dials this node', () => {
  test('[PF1] gets no memory for a large frame before it has said who it is', async () => {
    const { frames, dial } = await listening()
    const stranger = dial()
    stranger.onData(header(1 << 20))
    expect(stranger.destroyed).toBe(true)
    const peer = dial()
    peer.onData(helloFrame)
    peer.onData(raftFrame(1 << 20))
    expect([peer.destroyed, frames]).toEqual([false, [PeerFrameKind.raft]])
  })

  test('[PF5] is ended if it does not say who it is in time, however busy it keeps', async () => {
    const { clock, dial } = await listening()
    const stranger = dial()
    const peer = dial()
    peer.onData(helloFrame)
    stranger.onData(header(1_000))
    for (let i = 0; i < 10; i += 1) {
      clock.advance(500)
      if (!stranger.destroyed) stranger.onData(new Uint8Array(1))
      peer.onData(encodePeerFrame(PeerFrameKind.ping, new Uint8Array(0)))
    }
    expect([stranger.destroyed, peer.destroyed]).toEqual([true, false])
  })
})

describe('[PF7] who gives the Raft id of another member', () => {
  const impostor = encodeJsonFrame(PeerFrameKind.hello, hello('n2', 'c'))

  test('is not let in', async () => {
    const { frames, warnings, transport, dial } = await listening()
    const peer = dial()
    peer.onData(Buffer.concat([impostor, raftFrame()]))
    expect([frames, transport.callers()]).toEqual([[], []])
    expect(warnings).toMatchObject([['peer.refused', { code: 'WRONG_NAME' }]])
    expect(Buffer.from(peer.written[0]!).toString()).toContain('n2 gives the Raft id of n3')
  })

  test('is not sent what is for that member', async () => {
    const { transport, dialled } = await listening()
    transport.setPeers([{ name: 'n2', address: 'n2:1' }])
    await Promise.resolve()
    dialled[0]!.onData(impostor)
    expect([transport.isUp('c'.repeat(16)), dialled[0]!.destroyed]).toEqual([false, true])
    expect(transport.refusals()[0]!.message).toContain('n2 gives the Raft id of n3')
  })
})

describe('[MR8] who dials this node and was let in', () => {
  test('is known by its word on where it is reached, until it goes', async () => {
    const { transport, host, dial } = await listening()
    let called = 0
    host.called = () => (called += 1)
    const caller = { ...hello('n4', 'd'), address: 'n4:1' }
    const [peer, stranger] = [dial(), dial()]
    stranger.onData(encodeJsonFrame(PeerFrameKind.hello, { ...caller, clusterId: '08'.repeat(16) }))
    peer.onData(encodeJsonFrame(PeerFrameKind.hello, caller))
    expect([transport.callers(), called]).toEqual([[caller], 1])
    peer.onClose(null)
    expect(transport.callers()).toEqual([])
  })
})

describe('[MR7] who was removed', () => {
  test('is told and answered all the same; the others are told nothing', async () => {
    const { transport, frames, dial } = await listening()
    const [gone, member] = [dial(), dial()]
    gone.onData(helloFrame)
    member.onData(encodeJsonFrame(PeerFrameKind.hello, hello('n3', 'c')))
    const before = member.written.length
    transport.tellRemoved(7, ({ raftId }) => raftId.startsWith('b'))
    expect(gone.written.at(-1)).toEqual(encodeJsonFrame(PeerFrameKind.removed, { index: 7 }))
    expect(member.written).toHaveLength(before)
    gone.onData(raftFrame())
    expect(frames).toEqual([PeerFrameKind.raft])
  })

  test('hears it where answers come', async () => {
    const { transport, dialled, removed, fatal } = await listening()
    transport.setPeers([{ name: 'n2', address: 'n2:1' }])
    await Promise.resolve()
    await Promise.resolve()
    dialled[0]!.onData(helloFrame)
    dialled[0]!.onData(encodeJsonFrame(PeerFrameKind.removed, { index: 7 }))
    expect([removed, fatal]).toEqual([[7], []])
  })
})

describe('[SG6] what may be lost', () => {
  test('is dropped while much waits, and Raft is sent all the same', async () => {
    const { transport, dialled } = await listening()
    const peer = 'b'.repeat(16)
    expect(transport.offer(peer, raftFrame())).toBe(false)
    transport.setPeers([{ name: 'n2', address: 'n2:1' }])
    await Promise.resolve()
    const wire = dialled[0]!
    wire.onData(helloFrame)
    let waiting = 0
    wire.bufferedBytes = () => waiting
    const sent = (send: () => boolean): [boolean, number] => {
      const before = wire.written.length
      return [send(), wire.written.length - before]
    }
    expect(sent(() => transport.offer(peer, raftFrame()))).toEqual([true, 1])
    waiting = (256 << 10) + 1
    expect(sent(() => transport.offer(peer, raftFrame()))).toEqual([false, 0])
    waiting = (64 << 20) + 1
    expect(sent(() => transport.offer(peer, raftFrame()))).toEqual([false, 0])
    expect(wire.destroyed).toBe(false)
    waiting = 64 << 20
    expect(sent(() => transport.send(peer, raftFrame()))).toEqual([true, 1])
    await transport.close()
  })
})

describe('[PF1] a frame that cannot be read', () => {
  test('costs its sender the connection, with a reason, and nobody anything else', async () => {
    const { transport, host, frames, fatal, warnings, down, dial } = await listening()
    host.reads = (kind) => {
      if (kind === PeerFrameKind.forward) throw new PeerProtocolError('a command is cut short')
    }
    const [bad, good] = [dial(), dial()]
    bad.onData(helloFrame)
    good.onData(encodeJsonFrame(PeerFrameKind.hello, hello('n3', 'c')))
    const forward = encodePeerFrame(PeerFrameKind.forward, new Uint8Array(3))
    bad.onData(Buffer.concat([raftFrame(), forward, raftFrame()]))
    good.onData(raftFrame())
    expect([bad.destroyed, good.destroyed, down]).toEqual([true, false, ['n2']])
    expect(frames).toEqual([PeerFrameKind.raft, PeerFrameKind.raft])
    expect(transport.malformedFrames).toBe(1)
    expect(fatal).toEqual([])
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatchObject(['peer.protocol', { peer: 'n2', remote: 'peer:1' }])
    expect(warnings[0]![1]!['message']).toMatch(/^a command is cut short; .*same version/)
  })

  test('is one whose checksum is wrong, or that was announced too long or too short', async () => {
    const damaged = Uint8Array.from(raftFrame(40))
    damaged[30] = 1
    for (const bytes of [damaged, header(4), header((16 << 20) + 1)]) {
      const { transport, frames, fatal, dial } = await listening()
      const peer = dial()
      peer.onData(helloFrame)
      peer.onData(bytes)
      peer.onData(raftFrame())
      expect([peer.destroyed, transport.malformedFrames, frames, fatal]).toEqual([true, 1, [], []])
    }
  })

  test('is one that speaks TLS, and what to do about that is said', async () => {
    const { transport, warnings, dial } = await listening()
    const peer = dial()
    // The beginning of a ClientHello, as OpenSSL sends it.
    peer.onData(Uint8Array.of(0x16, 3, 1, 5, 0x1d, 1, 0, 5, 0x19, 3, 3))
    expect([peer.destroyed, transport.malformedFrames]).toEqual([true, 1])
    expect(warnings[0]![1]!['message']).toMatch(/^a peer speaks TLS, .*--cluster-secret-file/)
  })

  test('is the same on a connection that this node dialled', async () => {
    const { clock, transport, fatal, warnings, dialled } = await listening()
    transport.setPeers([{ name: 'n2', address: 'n2:1' }])
    await Promise.resolve()
    const [first] = dialled
    first!.onData(encodeJsonFrame(PeerFrameKind.hello, { name: 'n2' }))
    expect([first!.destroyed, transport.malformedFrames, fatal]).toEqual([true, 1, []])
    expect(warnings[0]![1]!['message']).toMatch(/hello is malformed: protocol must be an object/)
    clock.advance(1_000)
    await Promise.resolve()
    const [, second] = dialled
    second!.onData(helloFrame)
    expect(transport.isUp('b'.repeat(16))).toBe(true)
    second!.onData(raftFrame())
    expect([second!.destroyed, transport.malformedFrames]).toEqual([true, 2])
    await transport.close()
  })
})

describe('[PF2] a failure that is this program’s own ends the process', () => {
  test('while a frame is handled: nothing of any peer is taken in after it', async () => {
    const { transport, host, frames, fatal, dial } = await listening()
    const [one, other] = [dial(), dial()]
    one.onData(helloFrame)
    other.onData(encodeJsonFrame(PeerFrameKind.hello, hello('n3', 'c')))
    host.handles = () => assert(false, 'two leaders in one term')
    one.onData(Buffer.concat([raftFrame(), raftFrame()]))
    host.handles = (kind) => void frames.push(kind)
    for (const connection of [one, other]) connection.onData(raftFrame())
    expect(fatal).toEqual([new AssertionError('two leaders in one term')])
    expect([frames, transport.malformedFrames]).toEqual([[], 0])
    expect([one.destroyed, other.destroyed]).toEqual([true, true])
  })

  test('whatever class the error of a handler has, and whatever else than a refusal reading throws', async () => {
    const late = await listening()
    late.host.handles = () => {
      throw new PeerProtocolError('thrown too late')
    }
    const early = await listening()
    early.host.reads = () => {
      throw new TypeError('undefined is not a function')
    }
    for (const { dial, fatal, transport } of [late, early]) {
      const peer = dial()
      peer.onData(helloFrame)
      peer.onData(raftFrame())
      expect([fatal.length, transport.malformedFrames]).toEqual([1, 0])
    }
  })

  test('while a peer is greeted that this node dialled', async () => {
    const { transport, host, fatal, dialled } = await listening()
    host.up = () => assert(false, 'a replica starts once')
    transport.setPeers([{ name: 'n2', address: 'n2:1' }])
    await Promise.resolve()
    dialled[0]!.onData(helloFrame)
    expect(fatal).toEqual([new AssertionError('a replica starts once')])
    expect(transport.malformedFrames).toBe(0)
  })
})
