import { ChatError } from './errors.ts'
import type { NodeAddress } from './protocol/frames.ts'
import { uniform, type Random } from './ports.ts'

/** Which node to try next. */
export class Endpoints {
  readonly #configured: readonly string[]
  readonly #random: Random
  /** Failed attempts since the last success anywhere, by URL. */
  readonly #failures = new Map<string, number>()
  #known: string[]
  #leader: string | null = null
  /** Where a node that goes away sends its clients. */
  #suggested: string | null = null

  /** @throws ChatError INVALID_MESSAGE for a URL that is none. */
  constructor(urls: readonly string[], random: Random) {
    this.#configured = [...new Set(urls.map(webSocketUrl))]
    if (this.#configured.length === 0) {
      throw new ChatError('INVALID_MESSAGE', 'urls must name at least one node')
    }
    this.#known = [...this.#configured]
    this.#random = random
  }

  get count(): number {
    return this.#known.length
  }

  /** The one with the fewest failures; among equals the one suggested, the leader, else any. */
  next(): string {
    const least = Math.min(...this.#known.map((url) => this.#failures.get(url) ?? 0))
    const candidates = this.#known.filter((url) => (this.#failures.get(url) ?? 0) === least)
    for (const preferred of [this.#suggested, this.#leader]) {
      if (preferred !== null && candidates.includes(preferred)) return preferred
    }
    return candidates[Math.floor(uniform(this.#random) * candidates.length)]!
  }

  failed(url: string): void {
    this.#failures.set(url, (this.#failures.get(url) ?? 0) + 1)
  }

  succeeded(): void {
    this.#suggested = null
    this.#failures.clear()
  }

  /** The configured URLs stay: a node may know its peers by names that mean nothing here. */
  learnNodes(nodes: readonly NodeAddress[]): void {
    const learned = nodes.slice(0, MAX_LEARNED).flatMap((node) => tryWebSocketUrl(node.url))
    this.#known = [...new Set([...this.#configured, ...learned])]
    for (const url of this.#failures.keys()) {
      if (!this.#known.includes(url)) this.#failures.delete(url)
    }
  }

  /** A known node, to go to next. */
  suggest(url: string | null): void {
    this.#suggested = url === null ? null : (tryWebSocketUrl(url)[0] ?? null)
  }

  learnLeader(leader: NodeAddress | null): void {
    this.#leader = leader === null ? null : (tryWebSocketUrl(leader.url)[0] ?? null)
  }
}

const MAX_LEARNED = 64

function tryWebSocketUrl(url: string): string[] {
  try {
    return [webSocketUrl(url)]
  } catch {
    return []
  }
}

/** `http://host:port` → `ws://host:port/v1/ws`; a URL with a path is taken as it is. */
export function webSocketUrl(url: string): string {
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch (cause) {
    throw new ChatError('INVALID_MESSAGE', `not a URL: ${url}`, { cause })
  }
  const scheme = SCHEMES[parsed.protocol]
  if (scheme === undefined) {
    throw new ChatError('INVALID_MESSAGE', `a node's URL is http, https, ws or wss: ${url}`)
  }
  const path = parsed.pathname === '/' ? '/v1/ws' : parsed.pathname
  return `${scheme}//${parsed.host}${path}`
}

const SCHEMES: Readonly<Record<string, string>> = {
  'http:': 'ws:',
  'https:': 'wss:',
  'ws:': 'ws:',
  'wss:': 'wss:',
}
