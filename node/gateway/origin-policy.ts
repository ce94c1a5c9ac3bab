import type { RequestHead } from './client-listener.ts'

export interface OriginPolicyOptions {
  /** Only the loopback names with the listener's own port are right. */
  readonly dev: boolean
  /** Origins of web pages that may connect, as browsers send them: `https://app.example.org`. */
  readonly allowedOrigins: readonly string[]
  /** Host names, without port, under which clients reach this node; addresses need no entry. */
  readonly allowedHosts: readonly string[]
}

/**
 * Says why a call is refused, or `null`.
 *
 * A page that a browser loaded from anywhere may open a WebSocket to any address, so `Origin` is
 * the only thing between a stranger's page and a node on the reader's own machine. And a page
 * whose name was rebound to this machine's address has the right origin in the browser's eyes but
 * still sends its own name as `Host`: a literal address cannot be rebound, a name must be listed.
 */
export function originRefusal(head: RequestHead, options: OriginPolicyOptions): string | null {
  const host = splitHost(head.host, head)
  if (host === null) return 'The Host header is missing or malformed.'
  if (!hostAllowed(host, head.localPort, options)) {
    return `Host ${JSON.stringify(head.host)} is not an address of this node.`
  }
  if (head.origin === null) return null
  if (options.allowedOrigins.includes(head.origin)) return null
  if (ownOrigin(head.origin, head, options)) return null
  return `Origin ${JSON.stringify(head.origin)} is not among the allowed origins of this node.`
}

interface HostParts {
  /** In lower case, an IPv6 address without its brackets. */
  readonly name: string
  readonly port: number
}

const LOOPBACK_NAMES = new Set(['127.0.0.1', 'localhost', '::1'])

function hostAllowed(host: HostParts, localPort: number, options: OriginPolicyOptions): boolean {
  if (options.dev) return LOOPBACK_NAMES.has(host.name) && host.port === localPort
  // Behind a published or forwarded port the number in Host is not the listener's own.
  return (
    isIpAddress(host.name) ||
    host.name === 'localhost' ||
    options.allowedHosts.some((allowed) => allowed.toLowerCase() === host.name)
  )
}

/** Pages that this node itself served: the origin's host is an admitted Host with the same port. */
function ownOrigin(origin: string, head: RequestHead, options: OriginPolicyOptions): boolean {
  const match = /^(https?):\/\/([^/]+)$/.exec(origin)
  // A page that came in clear may be anybody's.
  if (match?.[1] !== (head.isSecure ? 'https' : 'http')) return false
  const named = splitHost(match[2] ?? null, head)
  if (named === null) return false
  if (options.dev) return hostAllowed(named, head.localPort, options)
  const host = splitHost(head.host, head)
  return host !== null && host.name === named.name && host.port === named.port
}

function splitHost(
  host: string | null,
  { isSecure }: Pick<RequestHead, 'isSecure'>,
): HostParts | null {
  if (host === null) return null
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,253}))(?::(\d{1,5}))?$/i.exec(host)
  if (match === null) return null
  const port = match[3] === undefined ? (isSecure ? 443 : 80) : Number(match[3])
  if (port > 65_535) return null
  return { name: (match[1] ?? match[2] ?? '').toLowerCase(), port }
}

/** Whether a host without brackets has the form of an address, of either version. */
export function isIpAddress(host: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host) || /^[0-9a-f]*:[0-9a-f:.]*$/i.test(host)
}

/** Whether `address:port` is on this machine's loopback. */
export function isLoopback(remote: string): boolean {
  return /^(127(\.\d{1,3}){3}:|\[::1\]:|\[::ffff:127\.)/.test(remote)
}

/** `address` of `address:port`. */
export function addressOf(remote: string): string {
  return remote.slice(0, remote.lastIndexOf(':'))
}
