/**
 * The bare limit: what the same machine does for the same load and bytes with nothing but sockets
 * and disks. The leader takes frames over `ws`, batches what one turn brought, sends the batch to
 * two followers while it writes and syncs it, and answers when two of three have it on disk. No
 * Raft, no state, no checks: not a product, only the denominator of a ratio.
 *
 *     bare-node.ts leader PORT FILE FOLLOWER_PORT FOLLOWER_PORT
 *     bare-node.ts follower PORT FILE
 */
import { fdatasyncSync, openSync, writeSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { WebSocketServer } from 'ws'
import { decodeFrames, encodeFrame, joinFrames } from '#protocol'

const [role, port, file, ...followers] = process.argv.slice(2)
const descriptor = openSync(file!, 'w')

function persist(batch: Uint8Array): void {
  writeSync(descriptor, batch)
  fdatasyncSync(descriptor)
}

/** Cuts a stream of u32 length and bytes. */
function framed(socket: Socket, take: (bytes: Buffer) => void): void {
  let kept: Buffer = Buffer.alloc(0)
  socket.setNoDelay(true)
  socket.on('data', (data) => {
    kept = kept.length === 0 ? data : Buffer.concat([kept, data])
    let at = 0
    while (kept.length - at >= 4 && kept.length - at >= 4 + kept.readUInt32LE(at)) {
      const end = at + 4 + kept.readUInt32LE(at)
      take(kept.subarray(at + 4, end))
      at = end
    }
    kept = kept.subarray(at)
  })
}

function follow(): void {
  createServer((socket) => {
    let waiting: Buffer[] = []
    let scheduled = false
    const write = () => {
      scheduled = false
      persist(waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting))
      const answer = Buffer.alloc(8)
      answer.writeUInt32LE(4, 0)
      answer.writeUInt32LE(waiting.length, 4)
      waiting = []
      socket.write(answer)
    }
    framed(socket, (batch) => {
      waiting.push(Buffer.from(batch))
      if (!scheduled) setImmediate(write)
      scheduled = true
    })
  }).listen(Number(port), '127.0.0.1', ready)
}

interface Waiting {
  readonly socket: { send(data: Uint8Array): void }
  readonly ids: readonly number[]
}

function lead(): void {
  const acknowledged = followers.map(() => 0)
  let own = 0
  let committed = 0
  let gathering: Buffer[] = []
  let asking: Waiting[] = []
  const batches: Waiting[][] = []
  let scheduled = false
  const sockets = followers.map((follower, at) => {
    const socket = connect(Number(follower), '127.0.0.1')
    framed(socket, (answer) => {
      acknowledged[at]! += answer.readUInt32LE(0)
      commit()
    })
    return socket
  })
  const commit = () => {
    const quorum = [own, ...acknowledged].sort((a, b) => b - a)[1]!
    for (; committed < quorum; committed++) {
      for (const { socket, ids } of batches.shift()!) {
        socket.send(joinFrames(ids.map(answerTo)) as Uint8Array)
      }
    }
  }
  const flush = () => {
    scheduled = false
    const batch = Buffer.concat(gathering)
    const head = Buffer.alloc(4)
    head.writeUInt32LE(batch.length, 0)
    for (const socket of sockets) {
      socket.write(head)
      socket.write(batch)
    }
    batches.push(asking)
    gathering = []
    asking = []
    persist(batch)
    own += 1
    commit()
  }
  new WebSocketServer(
    { port: Number(port), host: '127.0.0.1', perMessageDeflate: false },
    ready,
  ).on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      const ids = requestIds(data)
      gathering.push(data)
      asking.push({ socket, ids })
      if (!scheduled) setImmediate(flush)
      scheduled = true
    })
  })
}

/** The frames are decoded as the product decodes them: without that nobody could answer. */
function requestIds(data: Buffer): number[] {
  const ids: number[] = []
  for (const frame of decodeFrames(data, 'parley.v1.msgpack', 'toServer')) {
    if ('t' in frame) ids.push(frame.id as number)
  }
  return ids
}

function answerTo(id: number): Uint8Array {
  return encodeFrame(
    {
      t: 'msg:A',
      id,
      msgId: 'x'.repeat(20),
      conv: 'x'.repeat(20),
      seq: 1,
      at: 1,
      ord: 1,
      duplicate: false,
      now: 1,
    },
    'parley.v1.msgpack',
  )
}

function ready(): void {
  process.stdout.write('ready\n')
}

if (role === 'leader') lead()
else follow()
