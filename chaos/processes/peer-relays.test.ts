import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { PEER_PROTOCOL, PeerFrameKind, encodePeerFrame } from '#cluster'
import { freePorts } from '../../node/host/testing/free-ports.ts'
import { PeerRelays } from './peer-relays.ts'

const MIB = 1 << 20
const PATIENCE = { timeout: 30_000, interval: 20 }

interface Dialled {
  readonly socket: Socket
  readonly chunks: Buffer[]
}

let relays: PeerRelays
let servers: Server[] = []
let sockets: Socket[] = []

afterEach(async () => {
  relays.close()
  for (const socket of sockets) socket.destroy()
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  servers = []
  sockets = []
})

/** Relays before two listeners, and those who got through to each, in order. */
async function twoNodes() {
  const arrived: Record<string, Dialled[]> = { n1: [], n2: [] }
  const ports = await freePorts(2)
  const peers = []
  for (const [at, name] of ['n1', 'n2'].entries()) {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      arrived[name]!.push(collect(socket))
    })
    servers.push(server.listen(0, '127.0.0.1'))
    await once(server, 'listening')
    const behind = `127.0.0.1:${(server.address() as AddressInfo).port}`
    peers.push({ name, address: `127.0.0.1:${ports[at]}`, behind })
  }
  relays = await PeerRelays.listen(peers)
  const dial = (from: string, to: string, first = helloOf(from)): Dialled => {
    const socket = connect({ port: ports[to === 'n1' ? 0 : 1]!, allowHalfOpen: true })
    socket.write(first)
    return collect(socket)
  }
  /** The same, once the other end has it. */
  const connected = async (from: string, to: string) => {
    const near = dial(from, to)
    const at = arrived[to]!.length
    await vi.waitUntil(() => arrived[to]!.length > at, PATIENCE)
    const far = arrived[to]![at]!
    await arrives(far, Buffer.from(helloOf(from)))
    far.chunks.length = 0
    return { near, far }
  }
  return { arrived, dial, connected }
}

function collect(socket: Socket): Dialled {
  const dialled: Dialled = { socket, chunks: [] }
  sockets.push(socket)
  socket.on('error', () => undefined)
  socket.on('data', (bytes) => dialled.chunks.push(bytes))
  return dialled
}

function helloOf(name: string): Uint8Array | string {
  const hello = {
    protocol: PEER_PROTOCOL,
    clusterId: 'c',
    epoch: 'e',
    raftId: '00'.repeat(8),
    name,
  }
  return encodePeerFrame(PeerFrameKind.hello, Buffer.from(JSON.stringify(hello)))
}

const received = ({ chunks }: Dialled) => Buffer.concat(chunks)
const lengthOf = ({ chunks }: Dialled) => chunks.reduce((sum, { length }) => sum + length, 0)
const arrives = async (at: Dialled, text: Buffer | string) => {
  const bytes = Buffer.from(text)
  await vi.waitUntil(() => lengthOf(at) >= bytes.length, PATIENCE)
  expect(received(at).equals(bytes)).toBe(true)
}
const isTold = ({ socket }: Dialled) => vi.waitUntil(() => socket.readableEnded, PATIENCE)
/** Long enough for bytes on the loopback that nothing holds up, on a busy machine too. */
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 300))

test('every byte passes, both ways and in order, and so does the end', async () => {
  const { connected } = await twoNodes()
  const { near, far } = await connected('n1', 'n2')
  const [there, back] = [randomBytes(3 * MIB), randomBytes(2 * MIB)]
  near.socket.end(there)
  far.socket.write(back)
  await isTold(far)
  expect(received(far).equals(there)).toBe(true)
  await arrives(near, back)
  far.socket.end('bye')
  await vi.waitUntil(() => near.socket.closed, PATIENCE)
  expect(received(near).subarray(back.length).toString()).toBe('bye')
})

test('a cut holds what is said on both sides, and the end of a connection; healed, all of it goes on', async () => {
  const { connected } = await twoNodes()
  const { near, far } = await connected('n1', 'n2')
  relays.cut(['n1'], ['n2'])
  expect(relays.cutOff('n1')).toEqual(['n2'])
  near.socket.end('there')
  far.socket.write('back')
  await aWhile()
  expect(near.chunks.length + far.chunks.length).toBe(0)
  expect([near, far].map(({ socket }) => socket.readableEnded || socket.closed)).toEqual([
    false,
    false,
  ])
  relays.heal()
  expect(relays.cutOff('n1')).toEqual([])
  await isTold(far)
  expect(received(far).toString()).toBe('there')
  await arrives(near, 'back')
})

test('a cut one way holds what one side says and no more', async () => {
  const { connected } = await twoNodes()
  const { near, far } = await connected('n1', 'n2')
  relays.cut(['n2'], ['n1'], true)
  near.socket.write('there')
  far.socket.write('back')
  await arrives(far, 'there')
  await aWhile()
  expect(near.chunks.length).toBe(0)
  relays.heal('n1')
  await arrives(near, 'back')
})

/** Says it in small pieces, each once the one before has left this process. */
function say(socket: Socket, bytes: Buffer): { left: number } {
  const piece = 64 << 10
  const said = { left: 0 }
  const next = () => {
    said.left = Math.min(said.left + piece, bytes.length)
    if (said.left < bytes.length) socket.write(bytes.subarray(said.left, said.left + piece), next)
  }
  socket.write(bytes.subarray(0, piece), next)
  return said
}

/** Resolves when no more leaves. */
async function stuck(said: { left: number }): Promise<void> {
  for (let before = -1; before !== said.left; await aWhile()) before = said.left
}

test('what is held up piles up where it is said, not in the relay', async () => {
  const { connected } = await twoNodes()
  const { near, far } = await connected('n1', 'n2')
  const bytes = randomBytes(24 * MIB)
  relays.cut(['n1'], ['n2'])
  const said = say(near.socket, bytes)
  await stuck(said)
  // The kernel takes some of it, on both sides of the connection with the relay.
  expect(said.left).toBeLessThan(16 * MIB)
  expect(far.chunks.length).toBe(0)
  relays.heal()
  await arrives(far, bytes)
})

test('who reads slowly slows down who writes', async () => {
  const { connected } = await twoNodes()
  const { near, far } = await connected('n1', 'n2')
  const bytes = randomBytes(48 * MIB)
  far.socket.pause()
  const said = say(near.socket, bytes)
  await stuck(said)
  expect(said.left).toBeLessThan(32 * MIB)
  far.socket.resume()
  await arrives(far, bytes)
})

test('across a cut nothing is dialled: nobody answers until the dialler gives up or the cut is healed', async () => {
  const { arrived, dial, connected } = await twoNodes()
  relays.cut(['n1'], ['n2'], true)
  const [impatient, patient] = [dial('n1', 'n2'), dial('n2', 'n1')]
  await aWhile()
  expect([arrived['n1'], arrived['n2']]).toEqual([[], []])
  impatient.socket.end()
  await vi.waitUntil(() => impatient.socket.closed, PATIENCE)
  expect(patient.socket.readableEnded).toBe(false)
  relays.heal()
  await isTold(patient)
  await connected('n2', 'n1')
  expect(arrived['n1']).toHaveLength(1)
})

test('a connection whose both ends are gone when the cut is healed tells nobody anything', async () => {
  const { arrived, connected } = await twoNodes()
  const { near, far } = await connected('n1', 'n2')
  relays.cut(['n1'], ['n2'])
  near.socket.write('too late')
  near.socket.destroy()
  far.socket.destroy()
  relays.heal()
  const again = await connected('n1', 'n2')
  again.near.socket.write('in time')
  await arrives(again.far, 'in time')
  expect([far.chunks.length, arrived['n2']!.length]).toEqual([0, 2])
})

test('where nobody listens the dialler is told at once; a stranger is passed on, cut or not', async () => {
  const { arrived, dial } = await twoNodes()
  relays.cut(['n1'], ['n2'])
  dial('n2', 'n1', 'GET / HTTP/1.1\r\n\r\n')
  await vi.waitUntil(() => arrived['n1']!.length === 1, PATIENCE)
  await arrives(arrived['n1']![0]!, 'GET / HTTP/1.1\r\n\r\n')
  relays.heal()
  await new Promise((resolve) => servers[1]!.close(resolve))
  servers.pop()
  const caller = dial('n1', 'n2')
  await isTold(caller)
})
