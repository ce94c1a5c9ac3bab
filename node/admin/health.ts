import type { HttpResponse } from '../gateway/client-listener.ts'

export interface Readiness {
  readonly ready: boolean
  /** One sentence per failing check, begun by its name and a colon. */
  readonly reasons: readonly string[]
}

export interface ReadyzRequest {
  readonly accept: string | null
  readonly verbose: boolean
  /** Checks that the caller does not want to count. */
  readonly exclude: readonly string[]
}

export interface ReadyzSources {
  readonly readiness: Readiness
  /** Names of all checks. */
  readonly checks: readonly string[]
  /** What works and yet promises less: shown to who asks for all. */
  readonly warnings: readonly string[]
}

/** The process runs its event loop: nothing else, or lost quorum would restart healthy nodes. */
export function livez(): HttpResponse {
  return plain(200, 'ok')
}

/**
 * 200 while this node serves clients, else 503 with the failing checks; read from memory. A check
 * that nobody knows cannot be excluded: a typing error must not hide a failure for good.
 */
export function readyz(request: ReadyzRequest, sources: ReadyzSources): HttpResponse {
  const excluded = request.exclude.map(plainName)
  const names = sources.checks.map(plainName)
  const unknown = excluded.find((name) => !names.includes(name))
  if (unknown !== undefined) {
    const list = names.map(pathName).join(', ')
    return plain(400, `there is no check ${printable(unknown)}: exclude takes ${list}`)
  }
  const checks = names.map((name) => ({
    name,
    excluded: excluded.includes(name),
    detail: detailOf(name, sources.readiness.reasons),
  }))
  const failing = checks.filter((check) => check.detail !== null && !check.excluded)
  const others = sources.readiness.reasons.filter(
    (reason) => !names.some((name) => reason.startsWith(`${name}:`)),
  )
  const ready = failing.length === 0 && others.length === 0
  const status = ready ? 200 : 503
  if (request.accept?.includes('application/json')) {
    const reasons = [...failing.map(({ name, detail }) => `${name}: ${detail}`), ...others]
    const all = checks.map(({ name, excluded: isExcluded, detail }) => ({
      ...{ name: pathName(name), ok: detail === null },
      ...(detail === null ? {} : { detail }),
      ...(isExcluded ? { excluded: true } : {}),
    }))
    const body = JSON.stringify({ ready, reasons, checks: all, warnings: sources.warnings })
    return { status, contentType: 'application/json', body: `${body}\n` }
  }
  const lines = [ready ? 'ok' : 'not ready']
  for (const { name, excluded: isExcluded, detail } of checks) {
    if (isExcluded && request.verbose) lines.push(`[+]${name}: excluded`)
    else if (detail !== null && !isExcluded) lines.push(`[-]${name}: ${detail}`)
    else if (request.verbose) lines.push(`[+]${name}`)
  }
  for (const reason of others) lines.push(`[-]${reason}`)
  if (request.verbose) for (const warning of sources.warnings) lines.push(`warning: ${warning}`)
  return plain(status, lines.join('\n'))
}

function detailOf(name: string, reasons: readonly string[]): string | null {
  const reason = reasons.find((one) => one.startsWith(`${name}:`))
  return reason === undefined ? null : reason.slice(name.length + 1).trim()
}

/** A check's name as it stands in sentences, from how a URL may spell it. */
const plainName = (name: string): string => name.replaceAll(/[_-]/g, ' ').trim()

/** And as URLs and labels spell it. */
const pathName = (name: string): string => name.replaceAll(' ', '_')

const printable = (text: string): string => JSON.stringify(text.slice(0, 40))

function plain(status: number, text: string): HttpResponse {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${text}\n` }
}
