import type { Preflight } from '#node'

/** The verdict on a line, then each reason and what to do. */
export function preflightText({ action, node, verdict, reasons, next }: Preflight): string {
  const words = { ok: 'yes', warn: 'yes, but', refuse: 'no' }[verdict]
  const lines = reasons.map(({ level, text }) => `  ${level === 'refuse' ? 'no' : level}: ${text}`)
  const then = next.map((step) => `  next: ${step}`)
  return [`${words} · ${action}${node === null ? '' : ` ${node}`}`, ...lines, ...then].join('\n')
}
