import { isDeepStrictEqual } from 'node:util'
import {
  decodeBody,
  decodeFrames,
  encodeFrame,
  type Frame,
  isFailure,
  type MessageNotice,
  ProtocolError,
  type Subprotocol,
} from '#protocol'
import { failureOf } from '../../../node/gateway/protocol-failure.ts'
import type { Prng } from '../../prng.ts'
import { randomFrame } from '../frame-trees.ts'
import { mutate } from '../mutate.ts'
import { type Target, violated } from '../target.ts'
import { editTree, randomText, type Tree } from '../values.ts'
import { toJsonText, toMsgpack } from '../write-tree.ts'

type Direction = 'toServer' | 'toClient'

/** What a client sends to a node, or a node to a client, in one of the two subprotocols. */
export class ClientFrames implements Target {
  readonly #direction: Direction
  readonly #subprotocol: Subprotocol

  constructor(direction: Direction, subprotocol: Subprotocol) {
    this.#direction = direction
    this.#subprotocol = subprotocol
  }

  make(random: Prng): Uint8Array {
    if (random.chance(0.05)) return random.bytes(random.below(100))
    let tree: Tree = randomFrame(random, this.#direction)
    if (random.chance(0.1)) {
      tree = [tree, ...Array.from({ length: random.below(4) }, () => this.#frame(random))]
    }
    while (random.chance(0.5)) tree = editTree(random, tree)
    if (random.chance(0.000_3)) tree = stretched(random, tree)
    const bytes = this.#write(random, tree)
    if (!random.chance(0.3)) return bytes
    return mutate(random, bytes, [this.#write(random, this.#frame(random))])
  }

  judge(bytes: Uint8Array): string | null {
    let refusal: string | null = null
    for (const found of decode(bytes, this.#subprotocol, this.#direction)) {
      if (found instanceof ProtocolError) {
        refusal ??= `${found.code} ${found.message}`
        this.#mustReachItsSender(found)
      } else this.#mustComeBack(found)
    }
    if (this.#subprotocol === 'parley.v1.msgpack' && this.#direction === 'toServer') {
      mustAgreeWithTable(bytes)
    }
    return refusal
  }

  #frame(random: Prng): Tree {
    return randomFrame(random, this.#direction)
  }

  #write(random: Prng, tree: Tree): Uint8Array {
    if (this.#subprotocol === 'parley.v1.msgpack') return toMsgpack(random, tree)
    return Buffer.from(toJsonText(random, tree))
  }

  /** Whatever was refused, the client can read why. */
  #mustReachItsSender(error: ProtocolError): void {
    const answer = failureOf(error)
    const [read] = decode(encodeFrame(answer, this.#subprotocol), this.#subprotocol, 'toClient')
    if (read === undefined || read instanceof ProtocolError) {
      violated(
        `the refusal ${JSON.stringify(answer).slice(0, 300)} cannot be read: ${read?.message}`,
      )
    }
    if (this.#direction === 'toServer' && !isFailure(read as Frame & { t: 'msg:A' })) {
      if (read.t !== 'error:N') violated(`the refusal of a frame is read as ${read.t}`)
    }
  }

  /** What was taken says the same when it is written and read again, in either subprotocol. */
  #mustComeBack(frame: Frame): void {
    const asText = again(frame, 'parley.v1.json', this.#direction)
    // JSON has no infinity to write, though it can be read out of a number that is too great.
    const isExact = this.#subprotocol === 'parley.v1.json' && !hasInfinity(frame)
    if (isExact) mustBeSame(frame, asText)
    mustBeSame(frame, again(frame, 'parley.v1.msgpack', this.#direction))
    if (frame.t === 'msg:R' && 'body' in frame) mustReachReceivers(frame.body)
  }
}

/** A body that a node took goes to other clients, whatever they speak. */
function mustReachReceivers(body: Uint8Array): void {
  const common = { conv: 'c', seq: 1, kind: 'message', ord: 1, msgId: 'm', at: 1 } as const
  const notice: MessageNotice = { t: 'msg:N', ...common, from: 'u', device: 'd', body }
  again(notice, 'parley.v1.json', 'toClient')
  again(notice, 'parley.v1.msgpack', 'toClient')
}

function again(frame: Frame, subprotocol: Subprotocol, direction: Direction): Frame {
  const [read, ...more] = decode(encodeFrame(frame, subprotocol), subprotocol, direction)
  if (read === undefined || more.length > 0) violated(`${1 + more.length} frames came back of one`)
  if (read instanceof ProtocolError) {
    violated(`${frame.t} was taken, and refused as ${subprotocol}: ${read.message}`)
  }
  return read
}

function decode(
  data: Uint8Array | string,
  subprotocol: Subprotocol,
  direction: Direction,
): (Frame | ProtocolError)[] {
  return decodeFrames(data, subprotocol, direction as 'toServer')
}

function mustBeSame(frame: Frame, other: Frame): void {
  if (isDeepStrictEqual(plain(frame), plain(other))) return
  violated(`${frame.t} comes back as another frame`)
}

/** Opaque values of a frame are read, bytes within them are only bytes. */
function hasInfinity(value: unknown, isRead = false): boolean {
  if (value instanceof Uint8Array) return !isRead && hasInfinity(decodeBody(value), true)
  if (typeof value === 'number') return !Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return false
  return Object.values(value).some((item) => hasInfinity(item, isRead))
}

/** Without absent fields, and with all bytes as one class of bytes. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  return Object.fromEntries(entries.map(([key, item]) => [key, plain(item)]))
}

/** The decoder written by hand gives way to the table if an unknown field comes first. */
function mustAgreeWithTable(bytes: Uint8Array): void {
  const first = bytes[0]
  if (first === undefined || first < 0x80 || first > 0x8e) return
  const slow = Uint8Array.from([first + 1, 0xa1, 0x7a, 0x01, ...bytes.subarray(1)])
  const [quick] = decode(bytes, 'parley.v1.msgpack', 'toServer')
  const [table] = decode(slow, 'parley.v1.msgpack', 'toServer')
  const verdict = (frame: Frame | ProtocolError | undefined): unknown =>
    frame instanceof ProtocolError ? frame.code : plain(frame)
  if (!isDeepStrictEqual(verdict(quick), verdict(table))) violated('two decoders differ')
}

/** Rarely, a text as long as a message may be: what takes a step for each byte shows here. */
function stretched(random: Prng, tree: Tree): Tree {
  const text = (randomText(random) || 'x').slice(0, 8)
  const last = random.pick(['_', '\\', '0', 'a', text.at(-1)!])
  const long = text + last.repeat(random.below(1 << 18))
  return random.chance(0.5)
    ? [tree, long, '\\']
    : {
        pairs: [
          [long, tree],
          ['\\', 1],
        ],
      }
}
