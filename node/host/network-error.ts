import type { Address } from '#cluster'

const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there: stop it or choose another address',
  EACCES: 'this user may not listen there: choose a port above 1023',
  EADDRNOTAVAIL: 'this machine has no such address: choose one of its own',
  ENOTFOUND: 'no such host is known: write an address of this machine',
}

/** An address that cannot be listened on, or a peer that cannot be reached. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError'
  /** The operating system's code, such as `EADDRINUSE`. */
  readonly code: string

  constructor(message: string, code: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }

  /** Why an address cannot be listened on, and what to do about it. */
  static ofListen(address: Address, cause: NodeJS.ErrnoException): NetworkError {
    const code = cause.code ?? 'UNKNOWN'
    const message = `cannot listen on ${address}: ${ADVICE[code] ?? cause.message}`
    return new NetworkError(message, code, { cause })
  }
}
