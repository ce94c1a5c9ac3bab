/** One value of DER (X.690), as far as certificates and lists of revoked ones are looked into. */
export interface DerValue {
  readonly tag: number
  readonly content: Buffer
  /** With tag and length. */
  readonly whole: Buffer
}

/** Lengths of four bytes are more than any file that is read here has. */
const MOST_LENGTH_BYTES = 4

/**
 * The values that stand one behind the other, such as the parts of a sequence.
 *
 * @throws Error if the bytes end within one, or hold fewer than `least`
 */
export function derValues(bytes: Buffer, least = 0): DerValue[] {
  const values: DerValue[] = []
  for (let at = 0; at < bytes.length;) {
    const value = derValue(bytes.subarray(at))
    values.push(value)
    at += value.whole.length
  }
  return values.length < least ? malformed() : values
}

/**
 * The first of them.
 *
 * @throws Error if the bytes end within it
 */
export function derValue(bytes: Buffer): DerValue {
  let header = 2
  let length = bytes[1] ?? malformed()
  if (length >= 0x80) {
    const count = length & 0x7f
    if (count === 0 || count > MOST_LENGTH_BYTES || bytes.length < 2 + count) malformed()
    length = bytes.readUIntBE(2, count)
    header += count
  }
  const end = header + length
  if (end > bytes.length) malformed()
  return { tag: bytes[0]!, content: bytes.subarray(header, end), whole: bytes.subarray(0, end) }
}

/**
 * Wall time in ms of UTCTime or GeneralizedTime, as RFC 5280 §4.1.2.5 has them.
 *
 * @throws Error if it is neither
 */
export function derTime({ tag, content }: DerValue): number {
  const text = content.toString('latin1')
  const short = tag === 0x17 ? (Number(text.slice(0, 2)) < 50 ? `20${text}` : `19${text}`) : text
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(short)?.slice(1).map(Number)
  if (parts === undefined || (tag !== 0x17 && tag !== 0x18)) return malformed()
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

function malformed(): never {
  throw new Error('its bytes are no DER')
}
