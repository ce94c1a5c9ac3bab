import {
  EMPTY_SESSION,
  type StoredCursor,
  type StoredEvent,
  type StoredMessage,
  type StoredPlace,
  type StoredSession,
} from './client-store.ts'
import {
  parseKey,
  toCursor,
  toEvent,
  toFormat,
  toLedger,
  toMessage,
  toStoredPlace,
  toSession,
  unseal,
  type FormatRecord,
  type LedgerRecord,
} from './store-records.ts'

/** A part of a store that cannot be used. */
export interface StoreDamage {
  /** Says in words what it is; a message by its msgId. */
  readonly what: string
  readonly reason: string
  /** Of the message that it is or was; `null` for anything else, or if nobody knows. */
  readonly msgId: string | null
  readonly key: string
  /** As it was found; `null` for what is missing. */
  readonly value: Uint8Array | null
}

export interface FoundStore {
  /** `null` in an empty database, or if it is damaged. */
  readonly format: FormatRecord | null
  readonly messages: readonly { readonly number: number; readonly message: StoredMessage }[]
  readonly cursors: readonly StoredCursor[]
  readonly events: readonly StoredEvent[]
  readonly places: readonly StoredPlace[]
  readonly session: StoredSession
  /** Checksum by key of everything sound that the ledger counts. */
  readonly sums: ReadonlyMap<string, number>
  readonly damage: readonly StoreDamage[]
}

/** Reads everything and believes nothing: what is not exactly as it was written is named. */
export function readStore(pairs: readonly (readonly [string, Uint8Array])[]): FoundStore {
  const damage: StoreDamage[] = []
  const messages: { number: number; message: StoredMessage }[] = []
  const cursors: StoredCursor[] = []
  const events: StoredEvent[] = []
  const places: StoredPlace[] = []
  const sums = new Map<string, number>()
  let format: FormatRecord | null = null
  let ledger: LedgerRecord | null = null
  let session = EMPTY_SESSION
  for (const [key, value] of pairs) {
    const parsed = parseKey(key)
    if (parsed.kind === 'aside') continue
    try {
      const { record, crc } = unseal(key, value)
      if (parsed.kind === 'unknown') throw new Error('nothing has such a key')
      if (parsed.kind === 'format') format = toFormat(record)
      else if (parsed.kind === 'ledger') ledger = toLedger(record)
      else {
        if (parsed.kind === 'session') session = toSession(record)
        else if (parsed.kind === 'cursor') cursors.push(toCursor(parsed.conv, record))
        else if (parsed.kind === 'event') events.push(toEvent(parsed.conv, parsed.seq, record))
        else if (parsed.kind === 'place') places.push(toStoredPlace(parsed.slot, record))
        else if (parsed.kind === 'message') {
          messages.push({ number: parsed.number, message: toMessage(parsed.msgId, record) })
        }
        sums.set(key, crc)
      }
    } catch (error) {
      const msgId = parsed.kind === 'message' ? parsed.msgId : null
      damage.push({ what: nameOf(key), reason: (error as Error).message, msgId, key, value })
    }
  }
  if (pairs.length > 0) damage.push(...missing(format, ledger, sums, damage))
  return { format, messages, cursors, events, places, session, sums, damage }
}

/** What ought to be there, by the store's own account. */
function missing(
  format: FormatRecord | null,
  ledger: LedgerRecord | null,
  sums: ReadonlyMap<string, number>,
  damage: readonly StoreDamage[],
): StoreDamage[] {
  const lost = (what: string, reason: string): StoreDamage[] => [
    { what, reason, msgId: null, key: '', value: null },
  ]
  const isKnown = (kind: string) => damage.some(({ key }) => parseKey(key).kind === kind)
  if (format === null && !isKnown('format')) return lost('the format', 'it is missing')
  if (ledger === null) return isKnown('ledger') ? [] : lost('the ledger', 'it is missing')
  const named = damage.filter(({ key }) => !['format', 'ledger'].includes(parseKey(key).kind))
  if (named.length > 0) return []
  let sum = 0
  for (const crc of sums.values()) sum = (sum + crc) >>> 0
  if (ledger.values !== sums.size) {
    return lost('its contents', `there are ${sums.size} values where ${ledger.values} were written`)
  }
  return ledger.sum === sum
    ? []
    : lost('its contents', 'a value is not the newest that was written')
}

function nameOf(key: string): string {
  const parsed = parseKey(key)
  if (parsed.kind === 'message') return `message ${parsed.msgId}`
  if (parsed.kind === 'cursor') return `the cursor of conversation ${parsed.conv}`
  if (parsed.kind === 'event') return `event ${parsed.seq} of conversation ${parsed.conv}`
  return parsed.kind === 'unknown' ? `key ${JSON.stringify(key)}` : `the ${parsed.kind}`
}
