import type { Moment } from './history.ts'

/** A write of any kind as its sender saw it. */
export interface FeatureWrite {
  readonly kind:
    'message' | 'edit' | 'recall' | 'reaction' | 'set' | 'add' | 'remove' | 'block' | 'unblock'
  readonly conv: string
  readonly user: string
  readonly device: string
  readonly msgId: string
  /** The seq that an edit, recall or reaction is about. */
  readonly target: number | null
  readonly body: string | null
  /** Of `add`, `remove`, `block` and `unblock`. */
  readonly who: string | null
  /** Of `set`. */
  readonly retention: RetentionBounds | null
  readonly invoked: Moment
  /** When the first final answer came, `Infinity` before. */
  answered: Moment
  /** As it was accepted; 0 for what is no event. */
  seq: number | null
  refused: string | null
}

export interface RetentionBounds {
  readonly maxCount?: number
  readonly maxBytes?: number
  readonly maxAgeMs?: number
}

/** An event as it was shown, with what it was at that time. */
export interface FeatureEvent {
  readonly seq: number
  readonly kind: string
  readonly ord: number
  readonly msgId: string
  readonly from: string
  readonly body: string | null
  readonly target: number | null
  readonly edited: number | null
  readonly recalled: boolean
  readonly expired: boolean
  readonly large: boolean
  readonly inbox: number | null
}

export interface Gap {
  readonly from: number
  readonly to: number
  readonly reason: string
}

/** Who looked where, and when. */
interface Look {
  readonly device: string
  readonly user: string
  readonly node: string
  readonly asked: Moment
  readonly answered: Moment
  /** After the run, with all nodes equal. */
  readonly final: boolean
}

/** An answered `pull`. */
export interface FeaturePage extends Look {
  readonly conv: string
  readonly linearizable: boolean
  readonly after: number
  readonly upTo: number
  readonly hasMore: boolean
  readonly gap: Gap | null
  readonly events: readonly FeatureEvent[]
}

/** An event that came by itself; a bare notify has no kind. */
export interface FeaturePush {
  readonly device: string
  readonly user: string
  readonly session: number
  readonly node: string
  readonly conv: string
  readonly event: FeatureEvent
  readonly shown: Moment
}

/** What a device claimed to have. */
export interface AckRecord {
  readonly user: string
  readonly device: string
  readonly conv: string
  readonly kind: 'delivered' | 'read'
  readonly upTo: number
  /** Of that what it had been shown: the rest may not be there. */
  readonly shown: number
  readonly invoked: Moment
  /** When the cluster had it, `Infinity` if nobody said so. */
  answered: Moment
}

/** What somebody was told of how far a member has got. */
export interface ReceiptTold {
  readonly by: 'notice' | 'answer' | 'status'
  readonly device: string
  readonly user: string
  /** Counts the connections of the device. */
  readonly session: number
  readonly node: string
  readonly conv: string
  readonly member: string
  readonly kind: string
  readonly upTo: number
  readonly asked: Moment
  readonly moment: Moment
  readonly final: boolean
}

export interface SignalSent {
  readonly user: string
  readonly device: string
  readonly session: number
  readonly conv: string
  readonly n: number
  readonly body: string
  readonly invoked: Moment
  answered: Moment
  refused: string | null
}

export interface SignalHeard {
  readonly user: string
  readonly device: string
  readonly session: number
  readonly node: string
  readonly conv: string | null
  readonly from: string
  readonly fromDevice: string
  readonly body: string
  readonly moment: Moment
}

/** An answered `sync`. */
export interface SyncPage extends Look {
  readonly after: number
  readonly next: number
  readonly upTo: number
  readonly hasMore: boolean
  readonly gap: Gap | null
  readonly events: readonly (FeatureEvent & { readonly conv: string })[]
  readonly conversations: readonly {
    readonly conv: string
    readonly head: number
    readonly unread: number
  }[]
}

/** An answered page of the feed of all conversations. */
export interface FeedPage {
  readonly reader: string
  readonly node: string
  readonly after: string | null
  readonly next: string
  readonly hasMore: boolean
  readonly missed: number
  readonly final: boolean
  readonly answered: Moment
  readonly events: readonly (FeatureEvent & { readonly conv: string; readonly cursor: string })[]
}

/** An operator had what a user said removed. */
export interface ErasureRecord {
  readonly user: string
  readonly invoked: Moment
  answered: Moment
}

/** What a run did beyond messages, and what everybody saw of it. Plain data. */
export interface Features {
  /** Who made the groups: their owner. */
  owner: string
  readonly conversations: string[]
  readonly users: string[]
  readonly writes: FeatureWrite[]
  readonly pages: FeaturePage[]
  readonly pushes: FeaturePush[]
  readonly acks: AckRecord[]
  readonly receipts: ReceiptTold[]
  readonly sent: SignalSent[]
  readonly heard: SignalHeard[]
  readonly syncs: SyncPage[]
  readonly feed: FeedPage[]
  readonly erasures: ErasureRecord[]
}

export function noFeatures(): Features {
  return {
    owner: '',
    ...{ conversations: [], users: [], writes: [], pages: [], pushes: [], acks: [] },
    ...{ receipts: [], sent: [], heard: [], syncs: [], feed: [], erasures: [] },
  }
}

/** As the wire shows an event; text stays text, all else is compared as JSON. */
export function featureEvent(wire: Readonly<Record<string, unknown>>): FeatureEvent {
  const { body } = wire
  return {
    seq: wire['seq'] as number,
    kind: (wire['kind'] as string | undefined) ?? '',
    ord: (wire['ord'] as number | undefined) ?? 0,
    msgId: (wire['msgId'] as string | undefined) ?? '',
    from: (wire['from'] as string | undefined) ?? '',
    body: body === undefined || body === null ? null : textOf(body),
    target: (wire['target'] as number | undefined) ?? null,
    edited: (wire['edited'] as number | undefined) ?? null,
    recalled: wire['recalled'] === true,
    expired: wire['expired'] === true,
    large: wire['large'] === true,
    inbox: (wire['inbox'] as number | null | undefined) ?? null,
  }
}

const textOf = (body: unknown): string => (typeof body === 'string' ? body : JSON.stringify(body))
