import { addressOf, isIpAddress, isLoopback } from './origin-policy.ts'

/** Addresses that a chain of proxies may name; what stands before them is not looked at. */
const MAX_HOPS = 20

/**
 * Where a call comes from, `address:port`: the other end of the socket or, if that is a proxy that the
 * operator trusts, the last address in `X-Forwarded-For` that is no such proxy. What stands further to
 * the left anybody may have written.
 */
export function clientRemote(
  socketRemote: string,
  forwardedFor: string | null,
  isTrusted: (address: string) => boolean,
): string {
  if (forwardedFor === null || !isTrusted(hostOf(socketRemote))) return socketRemote
  const hops = forwardedFor.split(',').slice(-MAX_HOPS).toReversed()
  let remote = socketRemote
  for (const hop of hops) {
    const address = hop.trim().replace(/^\[?([0-9a-fA-F:.]{2,45}?)\]?(?::\d{1,5})?$/, '$1')
    // The loopback of another machine is none of ours, and nobody is on ours behind a proxy.
    if (!isIpAddress(address) || isLoopback(`${address}:0`) || isLoopback(`[${address}]:0`)) break
    remote = address.includes(':') ? `[${address.toLowerCase()}]:0` : `${address}:0`
    if (!isTrusted(address)) break
  }
  return remote
}

/**
 * By what clients are counted: an IPv4 address, or the 64 bits of an IPv6 network, all of which one
 * client may have. `null`: the loopback, behind which a proxy may stand, with clients of many addresses.
 */
export function clientKey(remote: string): string | null {
  if (isLoopback(remote)) return null
  const address = hostOf(remote)
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const behind = tail === undefined || tail === '' ? [] : tail.split(':')
  while (tail !== undefined && groups.length + behind.length < 8) groups.push('0')
  return [...groups, ...behind]
    .slice(0, 4)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''))
    .join(':')
}

/** The address of `address:port`, without brackets; one of IPv4 in its own form. */
export const hostOf = (remote: string): string =>
  addressOf(remote)
    .replace(/^\[|\]$/g, '')
    .replace(/^::ffff:(?=\d+\.)/i, '')
