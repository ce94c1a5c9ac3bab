import type { Address } from '#cluster'
import { NetworkError } from './network-error.ts'

/**
 * Takes `host:port` apart, an IPv6 host in brackets.
 *
 * @throws NetworkError if it is none
 */
export function parseAddress(address: Address): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) {
    throw new NetworkError(`${address} is not an address: write host:port`, 'EINVAL')
  }
  return { host: (match[1] ?? match[2])!, port }
}

export function formatAddress(host: string, port: number): Address {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
