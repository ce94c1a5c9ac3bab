import { assert } from '#cluster'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { REFUSALS, type Refusal } from './refusals.ts'

const FORMAT = 1

/** The recorded result of a write that left no event: a refusal, or an opened direct conversation. */
export interface Verdict {
  readonly number: number
  /** The conversation of the key; for keys of a user (rule A1) the empty string. */
  readonly scope: string
  readonly user: string
  readonly msgId: string
  /** `null`: a direct conversation was opened. */
  readonly refusal: Refusal | null
  readonly logTime: number
  /** Of an opened conversation its id and its creation in wall time. */
  readonly conv: string
  readonly at: number
  /** SHA-256 of what rule A2 compares; `null` matches every content, as nobody saw it. */
  readonly digest: Uint8Array | null
}

export function encodeVerdict(verdict: Verdict): Uint8Array {
  const { digest } = verdict
  const writer = new ByteWriter()
    .u8(FORMAT)
    .u8(verdict.refusal ?? 0)
    .varint(verdict.number)
    .string(verdict.scope)
    .string(verdict.user)
    .string(verdict.msgId)
    .varint(verdict.logTime)
    .string(verdict.conv)
    .varint(verdict.at)
    .u8(digest === null ? 0 : 1)
  if (digest !== null) writer.raw(digest)
  return writer.toBytes()
}

export function decodeVerdict(bytes: Uint8Array): Verdict {
  const reader = new ByteReader(bytes)
  const format = reader.u8()
  assert(format === FORMAT, `verdict of unknown format ${format}`)
  const refusal = reader.u8()
  assert(refusal === 0 || refusal in REFUSALS, `unknown refusal ${refusal}`)
  const verdict: Verdict = {
    number: reader.varint(),
    scope: reader.string(),
    user: reader.string(),
    msgId: reader.string(),
    refusal: refusal === 0 ? null : (refusal as Refusal),
    logTime: reader.varint(),
    conv: reader.string(),
    at: reader.varint(),
    digest: reader.u8() === 1 ? new Uint8Array(reader.raw(32)) : null,
  }
  reader.end('a verdict')
  return verdict
}
