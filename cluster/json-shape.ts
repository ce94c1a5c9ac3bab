/**
 * What a JSON value from a peer or from disk must look like: returns a new value with the known
 * fields, checked, and nothing else. Throws `ShapeError` naming the first place that is wrong.
 */
export type Shape<T> = (value: unknown, path: string) => T

type Shapes<T> = { readonly [Name in keyof T]: Shape<T[Name]> }

/** Longer texts are no control data of ours: parsing them would hold the process up. */
const MAX_JSON_BYTES = 1 << 20

/**
 * Reads UTF-8 JSON of a shape. Whatever the bytes are, the only error is the one that the caller
 * makes of a sentence. Fields that the shape does not have are ignored: a newer version may add some.
 */
export function readJson<T>(
  bytes: Uint8Array,
  shape: Shape<T>,
  errorOf: (message: string) => Error,
): T {
  if (bytes.length > MAX_JSON_BYTES) throw errorOf(`${bytes.length} bytes of JSON are too many`)
  let value: unknown
  try {
    value = JSON.parse(UTF8.decode(bytes))
  } catch {
    throw errorOf('it is not JSON in UTF-8')
  }
  try {
    return shape(value, '')
  } catch (error) {
    if (error instanceof ShapeError) throw errorOf(error.message)
    throw error
  }
}

export function integer(min = 0, max: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  const bound = max === Number.MAX_SAFE_INTEGER ? '2^53-1' : String(max)
  return (value, path) => {
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
      throw new ShapeError(path, `must be an integer from ${min} to ${bound}`)
    }
    // JSON has a negative zero, and it equals nothing that was encoded here.
    return (value as number) + 0
  }
}

/** What an older version does not write is absent. */
export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return (value, path) => (value === undefined ? undefined : shape(value, path))
}

/** At most `maxLength` UTF-16 units. */
export function text(maxLength: number): Shape<string> {
  return (value, path) => {
    if (typeof value === 'string' && value.length <= maxLength) return value
    throw new ShapeError(path, `must be a string of at most ${maxLength} characters`)
  }
}

/** Lower-case hexadecimal digits, two for each byte. */
export function hex(bytes: number): Shape<string> {
  const pattern = new RegExp(`^[0-9a-f]{${2 * bytes}}$`)
  return (value, path) => {
    if (typeof value === 'string' && pattern.test(value)) return value
    throw new ShapeError(path, `must be ${2 * bytes} hexadecimal digits`)
  }
}

export function oneOf<const T extends string | number>(...values: readonly T[]): Shape<T> {
  return (value, path) => {
    if (values.includes(value as T)) return value as T
    throw new ShapeError(path, `must be one of ${values.slice(0, 8).join(', ')}`)
  }
}

export function array<T>(of: Shape<T>, max: number): Shape<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new ShapeError(path, 'must be an array')
    if (value.length > max) throw new ShapeError(path, `must hold at most ${max} elements`)
    return value.map((item, at) => of(item, `${path}[${at}]`))
  }
}

/** Every field is required. */
export function object<T extends object>(fields: Shapes<T>): Shape<T> {
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new ShapeError(path, 'must be an object')
    }
    const result: Partial<T> = {}
    for (const name in fields) {
      const given = Object.hasOwn(value, name) ? (value as Partial<T>)[name] : undefined
      result[name] = fields[name](given, path === '' ? name : `${path}.${name}`)
    }
    return result as T
  }
}

/** A value is not of its shape. */
class ShapeError extends Error {
  override readonly name = 'ShapeError'

  constructor(path: string, expectation: string) {
    super(`${path === '' ? 'it' : path} ${expectation}`)
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
