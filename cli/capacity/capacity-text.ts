import { bytesText } from '../byte-size.ts'
import { longDuration } from '../duration.ts'
import { table } from '../output.ts'
import type { Capacity, NodeCapacity } from './capacity.ts'

const DAY_MS = 86_400_000
/** Further off nobody plans, and the figures say nothing. */
const FAR_MS = 10 * 365 * DAY_MS

export interface Headroom {
  readonly ceiling: number
  /** Of the ceiling, what is used. */
  readonly usedShare: number
}

/** For people. */
export function capacityText(capacity: Capacity, headroom: Headroom | null): string {
  const { nodes, assumed, takenAtMs } = capacity
  const head = ['NAME', 'MESSAGES/S', 'LOGGED', 'KEPT', 'DISK USED', 'DISK FREE', 'FULL']
  const sessions = ['MEMORY', 'SESSIONS', 'ROOM FOR']
  const lines = [
    sentence(capacity),
    '',
    table(
      [...head, ...sessions],
      nodes.map((node) => row(node, takenAtMs)),
    ),
    '',
  ]
  if (headroom !== null) {
    const { ceiling, usedShare } = headroom
    lines.push(`ceiling ${ceiling}/s, as it was measured: ${percent(usedShare)} of it is used`, '')
  }
  lines.push(
    'assumed: writes go on as in that time, and nothing is removed; full is a disk with less free than --disk-low-bytes;',
    `  a byte of the log takes ${assumed.storedPerLogged} in the store, where the store grew too little to tell;`,
    `  an idle session takes ${bytesText(assumed.sessionBytes)}, and all of them ${percent(assumed.memoryShare)} of what memory is free`,
  )
  return lines.join('\n')
}

function sentence({ messagesPerSecond, windowMs, writesStopAtMs, takenAtMs }: Capacity): string {
  if (messagesPerSecond === null || windowMs === null) {
    return 'how much is written is not known: nodes were restarted since, or do not answer'
  }
  const rate = `${messagesPerSecond} messages/s over ${longDuration(windowMs)}`
  if (writesStopAtMs === null) {
    return `${rate} · too few to tell when disks are full: look longer (--sample), or since an earlier look (--since)`
  }
  return `${rate} · writes stop for want of room ${when(writesStopAtMs, takenAtMs)}`
}

function row(node: NodeCapacity, nowMs: number): string[] {
  const bytes = (value: number | null) => (value === null ? '-' : bytesText(value))
  const count = (value: number | null) => (value === null ? '-' : String(value))
  const { counted, moreSessions, sessionLimit } = node
  return [
    node.name,
    count(node.messagesPerSecond),
    bytes(node.loggedPerMessage),
    bytes(node.keptPerMessage),
    counted === null ? '-' : bytesText(counted.logBytes + counted.storeBytes),
    bytes(node.freeBytes),
    node.fullAtMs === null ? '-' : when(node.fullAtMs, nowMs),
    bytes(node.memoryBytes),
    count(node.sessions),
    moreSessions === null ? '-' : `${moreSessions} more (${sessionLimit})`,
  ]
}

function when(atMs: number, nowMs: number): string {
  if (atMs - nowMs > FAR_MS) return 'in more than 10 years'
  const day = new Date(atMs).toISOString().slice(0, 10)
  return `on ${day} (in ${longDuration(Math.max(0, atMs - nowMs))})`
}

const percent = (share: number): string => `${Math.round(share * 1_000) / 10} %`
