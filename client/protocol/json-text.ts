/**
 * `JSON.parse` for text from a client. V8 (seen in Node 24.21) misreads an escaped key if an object
 * of the same shape but for a key with a backslash was parsed before: after `{"x":1,"\\":0}` the text
 * `{"x":1,"\"":0}` gives the key `\`. One client's text would thus change what another one stores.
 * Only keys written with an escape are affected; they are parsed as values, which are not, and put
 * back in their places.
 */
export function parseJson(text: string): unknown {
  if (!text.includes('\\')) return JSON.parse(text)
  const prefix = absentFrom(text)
  const keys: string[] = []
  const value: unknown = JSON.parse(
    withoutEscapedKeys(text, (content) => {
      keys.push(JSON.parse(`"${content}"`) as string)
      return `${prefix}${keys.length - 1}`
    }),
  )
  return keys.length === 0 ? value : restored(value, prefix, keys)
}

/** `key` and one underscore more than ever follow it in the text: found in one walk over it. */
function absentFrom(text: string): string {
  let longest = 0
  for (let at = text.indexOf('key'); at >= 0; at = text.indexOf('key', at + 3)) {
    let end = at + 3
    while (text[end] === '_') end++
    longest = Math.max(longest, end - at - 3)
  }
  return `key${'_'.repeat(longest + 1)}`
}

/** Walks from string to string, once, so that no text can make it slow. */
function withoutEscapedKeys(text: string, rename: (content: string) => string): string {
  let result = ''
  let copied = 0
  let start = text.indexOf('"')
  while (start >= 0) {
    let end = start + 1
    let hasEscape = false
    while (end < text.length && text[end] !== '"') {
      if (text[end] === '\\') {
        hasEscape = true
        end++
      }
      end++
    }
    if (hasEscape && isKey(text, end + 1)) {
      result += text.slice(copied, start + 1) + rename(text.slice(start + 1, end))
      copied = end
    }
    start = text.indexOf('"', end + 1)
  }
  return result + text.slice(copied)
}

/** Whether the string that ended before `at` is followed by a colon. */
function isKey(text: string, at: number): boolean {
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++
  return text[at] === ':'
}

function restored(value: unknown, prefix: string, keys: readonly string[]): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => restored(item, prefix, keys))
  const result = {}
  for (const [name, item] of Object.entries(value)) {
    const key = name.startsWith(prefix) ? keys[Number(name.slice(prefix.length))]! : name
    // Not by assignment, which would take `__proto__` for more than a key.
    Object.defineProperty(result, key, {
      value: restored(item, prefix, keys),
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return result
}
