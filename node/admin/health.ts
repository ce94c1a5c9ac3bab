import type { HttpResponse } from '../gateway/client-listener.ts'

export interface Readiness {
  readonly ready: boolean
  /** One sentence per failing check. */
  readonly reasons: readonly string[]
}

/** The process runs its event loop: nothing else, or lost quorum would restart healthy nodes. */
export function livez(): HttpResponse {
  return { status: 200, contentType: 'text/plain; charset=utf-8', body: 'ok\n' }
}

/** 200 while this node serves clients, else 503 with the failing checks; read from memory. */
export function readyz(
  readiness: Readiness,
  request: {
    readonly accept: string | null
    readonly verbose: boolean
    /** Shown to who asks for all. */
    readonly warnings: readonly string[]
  },
): HttpResponse {
  const status = readiness.ready ? 200 : 503
  if (request.accept?.includes('application/json')) {
    const body = JSON.stringify({ ready: readiness.ready, reasons: readiness.reasons })
    return { status, contentType: 'application/json', body: `${body}\n` }
  }
  const lines = [readiness.ready ? 'ok' : 'not ready']
  if (!readiness.ready || request.verbose) {
    for (const reason of readiness.reasons) lines.push(`failing: ${reason}`)
  }
  if (request.verbose && readiness.ready) lines.push('all checks pass')
  if (request.verbose) for (const warning of request.warnings) lines.push(`warning: ${warning}`)
  return { status, contentType: 'text/plain; charset=utf-8', body: `${lines.join('\n')}\n` }
}
