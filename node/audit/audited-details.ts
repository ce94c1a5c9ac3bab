/** As much of a call's query and body as the audit log keeps. */
const MOST_FIELDS = 20
const MOST_CHARACTERS = 200

/** Values that are nobody's business, by the names of their fields. */
const HIDDEN = /secret|token|password|credential|authorization|body|meta|(^|_)key$|Key$/

/** Of the fields of a query and of a body of JSON: names, numbers and short texts, no secrets. */
export function auditedDetails(
  query: URLSearchParams,
  body: Uint8Array | null,
): Record<string, unknown> {
  const fields = [...query, ...Object.entries(objectOf(body))]
  return Object.fromEntries(
    fields
      .slice(0, MOST_FIELDS)
      .map(([name, value]) => [name.slice(0, 64), HIDDEN.test(name) ? '[hidden]' : shown(value)]),
  )
}

function shown(value: unknown): unknown {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  // Nested fields may be called anything.
  if (typeof value === 'object' && HIDDEN.test(text)) return '[hidden]'
  // Names and passwords of addresses, and what is signed into their queries.
  const bare = text
    .replaceAll(/\/\/[^@/\s]*@/g, '//[hidden]@')
    .replace(/(:\/\/[^?]*)\?.*/s, '$1?[hidden]')
  return bare.length <= MOST_CHARACTERS ? bare : `${bare.slice(0, MOST_CHARACTERS)}…`
}

function objectOf(body: Uint8Array | null): object {
  if (body === null || body.length === 0) return {}
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
  } catch {
    return {}
  }
}
