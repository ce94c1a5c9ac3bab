import { DEFAULT_DISK_LIMITS } from '../../node/disk/disk-level.ts'
import type { Capture } from '../doctor/capture.ts'
import { type NodeRecord, patientOf } from '../doctor/patient.ts'

/** What a node has counted and what it holds at one moment: kept, it is the beginning of a window. */
export interface Counted {
  readonly atMs: number
  /** Of this process: after a restart they begin anew. */
  readonly messages: number
  readonly loggedBytes: number
  readonly storeBytes: number
  readonly logBytes: number
}

export interface NodeCapacity {
  readonly name: string
  readonly counted: Counted | null
  /** Of the window; `null`: it is not known, for it was restarted in it, or said nothing. */
  readonly messagesPerSecond: number | null
  /** What a message, with its receipts and the like, takes in the log. */
  readonly loggedPerMessage: number | null
  /** What a message takes on disk for good. */
  readonly keptPerMessage: number | null
  readonly freeBytes: number | null
  /** Until so little is free that it wants no more writes. */
  readonly roomBytes: number | null
  /** At the rate of the window; `null`: never, or it is not known. */
  readonly fullAtMs: number | null
  readonly memoryBytes: number | null
  readonly freeMemoryBytes: number | null
  readonly sessions: number | null
  /** How many more it can take, and what ends it. */
  readonly moreSessions: number | null
  readonly sessionLimit: 'memory' | 'maxConnections' | 'descriptors' | null
}

export interface Capacity {
  readonly takenAtMs: number
  /** `null`: no node could say what was written in it. */
  readonly windowMs: number | null
  /** Of the whole cluster. */
  readonly messagesPerSecond: number | null
  /** When too few nodes have room for a write to be taken. */
  readonly writesStopAtMs: number | null
  readonly nodes: readonly NodeCapacity[]
  readonly assumed: Assumptions
}

/** What is taken for true, as nothing that is running tells it. */
export interface Assumptions {
  /** Bytes of the store for a byte of the log, where the store grew too little to tell. */
  readonly storedPerLogged: number
  /** Memory of an idle session, in bytes. */
  readonly sessionBytes: number
  /** Of the memory that is free, what sessions may take. */
  readonly memoryShare: number
}

export const ASSUMED: Assumptions = {
  storedPerLogged: 1.4,
  sessionBytes: 32 * 1024,
  memoryShare: 0.8,
}

/** Below it checkpoints, which write many messages at a time, would be taken for the growth. */
const TELLING_STORE_BYTES = 64 * 1024 * 1024
const TELLING_MESSAGES = 20

/** How long what there is lasts, from two moments of each node. Earlier ones make a longer window. */
export function capacityOf(
  capture: Capture,
  {
    since,
    assumed = ASSUMED,
  }: { since?: ReadonlyMap<string, Counted>; assumed?: Assumptions } = {},
): Capacity {
  const { nodes, members, takenAtMs } = patientOf(capture)
  const sampledMs = capture.sampledMs ?? 0
  const records = nodes.map((record) => {
    const sampled = counted(record, 'before', takenAtMs - sampledMs)
    const before = since === undefined ? sampled : (since.get(record.name) ?? null)
    return capacityOfNode(record, { before, now: counted(record, 'now', takenAtMs), assumed })
  })
  const known = records.filter(({ capacity }) => capacity.messagesPerSecond !== null)
  const voters = new Set(members.flatMap(({ name, role }) => (role === 'voter' ? [name] : [])))
  return {
    takenAtMs,
    windowMs: known.length === 0 ? null : Math.max(...known.map(({ windowMs }) => windowMs!)),
    messagesPerSecond:
      known.length === 0
        ? null
        : Math.max(...known.map(({ capacity }) => capacity.messagesPerSecond!)),
    writesStopAtMs: writesStop(
      records.flatMap(({ capacity }) => (voters.has(capacity.name) ? [capacity] : [])),
      voters.size,
    ),
    nodes: records.map(({ capacity }) => capacity).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    assumed,
  }
}

function counted(record: NodeRecord, when: 'before' | 'now', atMs: number): Counted | null {
  const value = (name: string) => record[when]?.value(name) ?? null
  const messages = value('parley_messages_applied_total')
  const loggedBytes = value('parley_log_entry_bytes_total')
  const storeBytes = value('parley_store_bytes')
  const logBytes = value('parley_log_bytes')
  const isWhole = [messages, loggedBytes, storeBytes, logBytes].every((one) => one !== null)
  if (!isWhole) return null
  return {
    atMs,
    messages: messages!,
    loggedBytes: loggedBytes!,
    storeBytes: storeBytes!,
    logBytes: logBytes!,
  }
}

interface Window {
  readonly before: Counted | null
  readonly now: Counted | null
  readonly assumed: Assumptions
}

function capacityOfNode(
  record: NodeRecord,
  { before, now, assumed }: Window,
): { readonly capacity: NodeCapacity; readonly windowMs: number | null } {
  const grown = grownIn(before, now)
  const messagesPerSecond =
    grown === null ? null : rounded((grown.messages * 1_000) / grown.windowMs, 10)
  const loggedPerMessage =
    grown === null || grown.messages < TELLING_MESSAGES ? null : grown.loggedBytes / grown.messages
  const keptPerMessage =
    grown === null || loggedPerMessage === null
      ? null
      : grown.storeBytes >= TELLING_STORE_BYTES
        ? grown.storeBytes / grown.messages
        : loggedPerMessage * assumed.storedPerLogged
  const free = record.view.disk?.freeBytes ?? null
  const lowBytes = setting(record, 'disk', 'lowBytes') ?? DEFAULT_DISK_LIMITS.lowBytes
  const roomBytes = free === null ? null : Math.max(0, free - lowBytes)
  return {
    windowMs: grown?.windowMs ?? null,
    capacity: {
      name: record.name,
      counted: now,
      messagesPerSecond,
      loggedPerMessage: loggedPerMessage === null ? null : Math.round(loggedPerMessage),
      keptPerMessage: keptPerMessage === null ? null : Math.round(keptPerMessage),
      freeBytes: free,
      roomBytes,
      fullAtMs: fullAt(now, roomBytes, (messagesPerSecond ?? 0) * (keptPerMessage ?? 0)),
      memoryBytes: record.now?.value('process_resident_memory_bytes') ?? null,
      freeMemoryBytes: fact(record, 'freeMemoryBytes'),
      sessions: record.view.sessions ?? null,
      ...roomForSessions(record, assumed),
    },
  }
}

/** `null` where counters began anew, or nobody knows. */
function grownIn(
  before: Counted | null,
  now: Counted | null,
): (Omit<Counted, 'atMs' | 'logBytes'> & { readonly windowMs: number }) | null {
  if (before === null || now === null) return null
  const windowMs = now.atMs - before.atMs
  const messages = now.messages - before.messages
  const loggedBytes = now.loggedBytes - before.loggedBytes
  if (windowMs <= 0 || messages < 0 || loggedBytes < 0) return null
  return { windowMs, messages, loggedBytes, storeBytes: now.storeBytes - before.storeBytes }
}

function fullAt(now: Counted | null, room: number | null, perSecond: number): number | null {
  if (now === null || room === null || perSecond <= 0) return null
  return Math.round(now.atMs + (room / perSecond) * 1_000)
}

/** Writes are taken while a majority of the voters has room for them. */
function writesStop(nodes: readonly NodeCapacity[], voters: number): number | null {
  const majority = Math.floor(voters / 2) + 1
  const full = nodes.map(({ fullAtMs }) => fullAtMs ?? Infinity).toSorted((a, b) => b - a)
  const last = full[majority - 1] ?? null
  return last === null || last === Infinity ? null : last
}

function roomForSessions(
  record: NodeRecord,
  { sessionBytes, memoryShare }: Assumptions,
): Pick<NodeCapacity, 'moreSessions' | 'sessionLimit'> {
  const { now, view } = record
  const freeMemory = fact(record, 'freeMemoryBytes')
  const maxConnections = setting(record, 'gateway', 'maxConnections')
  const descriptors = now?.value('process_max_fds') ?? null
  const open = now?.value('process_open_fds') ?? null
  const limits = [
    ['memory', freeMemory === null ? null : (freeMemory * memoryShare) / sessionBytes],
    ['maxConnections', maxConnections === null ? null : maxConnections - (view.sessions ?? 0)],
    ['descriptors', descriptors === null || open === null ? null : descriptors - open],
  ] as const
  const known = limits.flatMap(([limit, more]) => (more === null ? [] : [{ limit, more }]))
  const least = known.toSorted((a, b) => a.more - b.more)[0]
  if (least === undefined) return { moreSessions: null, sessionLimit: null }
  return { moreSessions: Math.max(0, Math.floor(least.more)), sessionLimit: least.limit }
}

const fact = ({ self }: NodeRecord, name: string): number | null => finite(self?.machine?.[name])
const setting = ({ self }: NodeRecord, part: string, name: string): number | null =>
  finite((self?.settings[part] as Record<string, unknown> | null | undefined)?.[name])
const finite = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null
const rounded = (value: number, steps: number): number => Math.round(value * steps) / steps
