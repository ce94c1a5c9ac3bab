// As much of DER (X.690) as a certificate needs.

export type Der = Buffer

/** Tag, length, content. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Der {
  const content = Buffer.concat(parts)
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content])
  const bytes = Buffer.from(length.toString(16).padStart(length > 0xff ? 4 : 2, '0'), 'hex')
  return Buffer.concat([Buffer.from([tag, 0x80 | bytes.length]), bytes, content])
}

export const sequence = (...parts: readonly Uint8Array[]): Der => der(0x30, ...parts)
export const set = (...parts: readonly Uint8Array[]): Der => der(0x31, ...parts)
export const octets = (bytes: Uint8Array): Der => der(0x04, bytes)
export const utf8 = (text: string): Der => der(0x0c, Buffer.from(text))
export const boolean = (value: boolean): Der => der(0x01, Buffer.from([value ? 0xff : 0]))

/** `unused` bits of the last byte stand for nothing. */
export const bits = (bytes: Uint8Array, unused = 0): Der => der(0x03, Buffer.from([unused]), bytes)

/** Of context `number`: what takes the place of a type, bare or around another value. */
export const context = (number: number, content: Uint8Array, isConstructed = false): Der =>
  der((isConstructed ? 0xa0 : 0x80) | number, content)

/** Not negative, from its bytes. */
export function integer(bytes: Uint8Array): Der {
  let at = 0
  while (at < bytes.length - 1 && bytes[at] === 0) at += 1
  const least = bytes.subarray(at)
  return der(0x02, ...(least[0]! & 0x80 ? [Buffer.from([0])] : []), least)
}

/** `2.5.29.17` */
export function objectId(dotted: string): Der {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [40 * first + second, ...rest].flatMap((part) => {
    const groups = [part & 0x7f]
    for (let left = Math.floor(part / 128); left > 0; left = Math.floor(left / 128)) {
      groups.unshift(0x80 | (left & 0x7f))
    }
    return groups
  })
  return der(0x06, Buffer.from(bytes))
}

/** To the second; in the short form until 2050, as RFC 5280 §4.1.2.5 has it. */
export function time(wallMs: number): Der {
  const text = `${new Date(wallMs).toISOString().replace(/[-:T]|\.\d+/g, '')}`
  return new Date(wallMs).getUTCFullYear() < 2050
    ? der(0x17, Buffer.from(text.slice(2)))
    : der(0x18, Buffer.from(text))
}
