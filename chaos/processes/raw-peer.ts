// What somebody who is no node says to a node's peer port, and hears of it.
import { connect as dial, type Socket } from 'node:net'
import tls from 'node:tls'
import { crc32c } from '@node-rs/crc32'

export const HELLO = 1
export const REFUSED = 2
export const PING = 3
export const PONG = 4
export const RAFT = 5

/** One frame between nodes: u32 length, u32 crc32c, u8 kind, body. */
export function frame(kind: number, body: Uint8Array | object): Buffer {
  const bytes = body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body))
  const whole = Buffer.alloc(9 + bytes.length)
  whole.writeUInt32LE(bytes.length + 5, 0)
  whole[8] = kind
  whole.set(bytes, 9)
  whole.writeUInt32LE(crc32c(whole.subarray(8)), 4)
  return whole
}

export interface PeerAnswer {
  readonly frames: { kind: number; body: string }[]
  /** Whether the node ended the connection. */
  readonly ended: boolean
}

/**
 * Says the bytes and hears what comes back, until the node ends the connection, `enough` frames came,
 * or `waitMs` are over. With `credentials` by TLS 1.3.
 */
export function sayToPeer(
  peerAddress: string,
  bytes: Uint8Array,
  {
    waitMs = 15_000,
    enough = Infinity,
    credentials,
  }: {
    readonly waitMs?: number | undefined
    readonly enough?: number | undefined
    readonly credentials?: { readonly cert: string; readonly key: string }
  } = {},
): Promise<PeerAnswer> {
  return new Promise((resolve) => {
    const [host = '', port] = peerAddress.split(':')
    const to = { host, port: Number(port) }
    const socket: Socket =
      credentials === undefined
        ? dial(to)
        : tls.connect({ ...to, ...credentials, rejectUnauthorized: false })
    const chunks: Buffer[] = []
    const done = (ended: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ frames: framesOf(Buffer.concat(chunks)), ended })
    }
    const timer = setTimeout(() => done(false), waitMs)
    socket.on('data', (data: Buffer) => {
      chunks.push(data)
      if (framesOf(Buffer.concat(chunks)).length >= enough) done(false)
    })
    socket.on('error', () => done(true)).on('close', () => done(true))
    socket.write(bytes)
  })
}

function framesOf(data: Buffer): { kind: number; body: string }[] {
  const frames: { kind: number; body: string }[] = []
  for (let at = 0; at + 9 <= data.length;) {
    const length = data.readUInt32LE(at)
    if (at + 4 + length > data.length) break
    frames.push({ kind: data[at + 8]!, body: data.toString('utf8', at + 9, at + 4 + length) })
    at += 4 + length
  }
  return frames
}
