const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there: stop it or choose another address',
  EACCES: 'this user may not listen there: choose a port above 1023',
  EADDRNOTAVAIL: 'this machine has no such address: choose one of its own',
  ENOTFOUND: 'no such host is known: write an address of this machine',
}

/** Why an address cannot be listened on, and what to do about it. */
export function listenFailure(address: string, cause: NodeJS.ErrnoException): string {
  return `cannot listen on ${address}: ${ADVICE[cause.code ?? ''] ?? cause.message}`
}
