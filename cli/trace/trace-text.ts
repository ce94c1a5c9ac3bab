import { table } from '../output.ts'
import { plainText } from '../plain-text.ts'

/** What one node knows of a message. */
export interface NodeTrace {
  readonly found: boolean
  readonly conv: string
  readonly seq?: number
  readonly kind?: string
  readonly msgId?: string
  readonly from?: string
  readonly device?: string
  readonly at?: number
  readonly logTimeMs?: number
  readonly replyTo?: number | null
  readonly bodyBytes?: number | null
  readonly edited?: number | null
  readonly recalled?: boolean
  readonly expired?: boolean
  readonly log?: { readonly index: number; readonly term: number } | null
  readonly changes?: readonly { seq: number; kind: string; from: string; at: number }[]
  readonly members?: number
  readonly receipts?: readonly { user: string; delivered: boolean; read: boolean }[] | null
  readonly delivered?: number
  readonly read?: number
  readonly firstSeq?: number
  readonly head?: number
  readonly searchedFrom?: number
}

/** One node's part in it. */
export interface NodePart {
  readonly node: string
  /** `null`: it did not tell; `why` says so. */
  readonly trace: NodeTrace | null
  readonly why: string | null
  /** The node that told it for this one, which was not reached itself. */
  readonly through: string | null
  /** The newest index of its log that is on its disk, and that it has applied. */
  readonly persisted: number | null
  readonly applied: number | null
}

/** The life of a message, for people. */
export function traceText(trace: NodeTrace, nodes: readonly NodePart[]): string {
  const { conv, seq, kind, msgId, from, device, at, replyTo, members = 0 } = trace
  const index = nodes.find((part) => part.trace?.log)?.trace?.log ?? null
  const lines = [
    `${kind} ${msgId} of ${from} (${device}) · ${conv} · seq ${seq}`,
    '',
    `  accepted   ${time(at)}${replyTo ? `, an answer to ${replyTo}` : ''}`,
    `  log        ${index === null ? 'its entry is kept in no log any more: checkpoints hold it' : `index ${index.index}, term ${index.term}`}`,
    `  body       ${bodyText(trace)}`,
    ...(trace.changes ?? []).map(
      (one) => `  ${one.kind.padEnd(10)} seq ${one.seq} by ${one.from}, ${time(one.at)}`,
    ),
    `  delivered  to ${trace.delivered} of ${Math.max(0, members - 1)} others`,
    `  read       by ${trace.read} of ${Math.max(0, members - 1)} others`,
  ]
  for (const { user, delivered, read } of (trace.receipts ?? []).slice(0, 50)) {
    lines.push(`    ${user}: ${read ? 'read' : delivered ? 'delivered' : 'not delivered yet'}`)
  }
  const rows = nodes.map(({ node, trace: own, why, through, persisted, applied }) => [
    node,
    own === null ? '-' : own.found ? 'yes' : 'no',
    index === null || persisted === null ? '-' : persisted >= index.index ? 'yes' : 'no',
    applied === null ? '-' : String(applied),
    [
      ...(through === null ? [] : [`reached through ${through} only`]),
      ...(why === null ? [] : [why]),
    ].join(', '),
  ])
  lines.push('', table(['NODE', 'APPLIED', 'IN ITS LOG ON DISK', 'APPLIED UP TO', 'NOTE'], rows))
  return lines
    .map((line) =>
      line
        .split('\n')
        .map((part) => plainText(part))
        .join('\n'),
    )
    .join('\n')
}

/** Where it was not found, and why that may be. */
export function noTraceText({ conv, firstSeq = 1, head = 0, searchedFrom = 1 }: NodeTrace): string {
  const kept = firstSeq > 1 ? `; retention removed everything before ${firstSeq}` : ''
  const looked =
    searchedFrom > firstSeq
      ? `; only ${searchedFrom} to ${head} were looked through: name its number with --seq`
      : ''
  return plainText(`${conv} keeps no such message among its events up to ${head}${kept}${looked}`)
}

function bodyText({ bodyBytes, edited, recalled, expired }: NodeTrace): string {
  if (recalled === true) return 'taken back by a recall'
  if (expired === true) return 'removed by retention or an erasure'
  const size = bodyBytes === null || bodyBytes === undefined ? 'none' : `${bodyBytes} bytes`
  return edited === null || edited === undefined ? size : `${size}, as edited by seq ${edited}`
}

const time = (ms: number | undefined): string =>
  ms === undefined ? '-' : new Date(ms).toISOString()
