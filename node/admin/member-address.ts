const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
const ADDRESS = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]{1,253}):(\d{1,5})$/

/** What is wrong with a member as an operator names it, or `null`. */
export function memberFault(given: Readonly<Record<string, unknown>>): string | null {
  const { name, peer, url, instead } = given
  if (typeof name !== 'string' || !isMemberName(name)) {
    return 'name must be up to 63 letters, digits, dots, hyphens or underscores'
  }
  if (typeof peer !== 'string' || !isAddress(peer)) {
    return 'peer must be host:port, where the other nodes reach it'
  }
  if (typeof url !== 'string' || !isUrl(url)) {
    return 'url must be http://host:port or https://host:port, where clients reach it'
  }
  if (instead !== undefined && instead !== null && typeof instead !== 'string') {
    return 'instead must be the name of a member'
  }
  return null
}

export function isMemberName(text: string): boolean {
  return NAME.test(text)
}

/** Whether the text is `host:port`, an IPv6 host in brackets. */
export function isAddress(text: string): boolean {
  const port = Number(ADDRESS.exec(text)?.[2])
  return port >= 1 && port <= 65_535
}

/** An origin and nothing more: paths are the node's own. */
function isUrl(text: string): boolean {
  if (text.length > 300 || !URL.canParse(text)) return false
  const { protocol, origin } = new URL(text)
  return /^https?:$/.test(protocol) && origin === text.replace(/\/$/, '')
}
