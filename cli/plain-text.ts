// eslint-disable-next-line no-control-regex -- they are what is looked for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g
const MOST_NESTED = 20

/**
 * What came over the wire, for a terminal: control characters could move its cursor, change its
 * colours or turn the reading direction, so that a line says something else than was sent.
 */
export function plainText(text: string, maxLength = 1_000): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text
  return cut.replace(UNSAFE, '\ufffd')
}

/** The same for every string and key of a JSON value; what is nested too deep is left out. */
export function plainJson(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return plainText(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth >= MOST_NESTED) return null
  if (Array.isArray(value)) return value.map((one) => plainJson(one, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [plainText(key), plainJson(one, depth + 1)]),
  )
}
