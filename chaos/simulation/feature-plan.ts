import type { Subprotocol } from '#protocol'
import type { RetentionBounds } from '../history/features.ts'
import type { Prng } from '../prng.ts'
import {
  FEATURE_KINDS,
  type FeatureKind,
  type FeatureOperation,
} from '../workload/feature-operation.ts'

/** What some devices do beside messages, in conversations and under users of their own. */
export interface FeaturePlan {
  /** Groups of all its users; the first two have a direct conversation as well. */
  readonly groups: number
  /** The first is of the groups' owner. */
  readonly devices: readonly {
    readonly device: string
    readonly user: string
    readonly subprotocol: Subprotocol
  }[]
  /** In order of time. */
  readonly operations: readonly FeatureOperation[]
}

/** What a seed decides about them. */
export interface FeatureSwarm {
  /** Of all operations of a run; 0: there are none. */
  readonly featureShare: number
  readonly featureKinds: readonly FeatureKind[]
}

/** Devices that read feeds and operate, rather than talk. */
export const BACKEND = 'backend'

/** How often each kind comes up beside the others. */
const WEIGHTS: Readonly<Record<FeatureKind, number>> = {
  ...{ message: 8, edit: 4, recall: 2, react: 2, page: 5, ack: 4, receipts: 2, sync: 2 },
  ...{ signal: 4, member: 0.5, retention: 0.6, block: 0.6, move: 0.3 },
  ...{ feed: 4, erase: 0.1, settings: 0.1 },
}

/** Reading goes on for so long after the faults are healed. */
const READING_ON_MS = 5_000
export const READS: readonly FeatureKind[] = ['page', 'receipts', 'sync', 'signal', 'move', 'feed']

export function drawFeatureSwarm(prng: Prng): FeatureSwarm {
  const featureShare = prng.pick([0, 0, 0.2, 0.5])
  const kindShare = prng.pick([0.4, 0.8, 1])
  const featureKinds = FEATURE_KINDS.filter((kind) => kind === 'message' || prng.chance(kindShare))
  return { featureShare, featureKinds }
}

/** `everyMs`: between two operations, on average. */
export function drawFeatures(
  prng: Prng,
  { featureKinds }: FeatureSwarm,
  everyMs: number,
  safetyMs: number,
): FeaturePlan {
  const users = prng.pick([2, 3, 4])
  const devices = Array.from({ length: users + prng.below(3) }, (_, at) => ({
    device: `guest-${at + 1}`,
    user: `visitor-${(at % users) + 1}`,
    subprotocol: prng.pick(['parley.v1.json', 'parley.v1.msgpack'] as const),
  }))
  const groups = prng.pick([1, 1, 2, 4])
  const operations: FeatureOperation[] = []
  for (let atMs = 0; ;) {
    atMs += -Math.log(1 - prng.float()) * everyMs
    if (atMs >= safetyMs + READING_ON_MS) break
    const kind = pickKind(prng, featureKinds)
    if (atMs >= safetyMs && !READS.includes(kind)) continue
    const at = Math.round(atMs * 1_000) / 1_000
    operations.push(drawOperation(prng, kind, at, { groups, users, devices }))
  }
  return { groups, devices, operations }
}

function pickKind(prng: Prng, kinds: readonly FeatureKind[]): FeatureKind {
  let left = prng.float() * kinds.reduce((sum, kind) => sum + WEIGHTS[kind], 0)
  for (const kind of kinds) {
    left -= WEIGHTS[kind]
    if (left <= 0) return kind
  }
  return kinds.at(-1)!
}

function drawOperation(
  prng: Prng,
  kind: FeatureKind,
  atMs: number,
  { groups, users, devices }: { groups: number; users: number } & Pick<FeaturePlan, 'devices'>,
): FeatureOperation {
  const { device } = prng.pick(devices)
  const room = prng.below(groups + 1)
  switch (kind) {
    case 'message': {
      const padding = prng.chance(0.05) ? prng.below(2_000) : 0
      return { atMs, device, kind, room, large: prng.chance(0.1), padding }
    }
    case 'edit':
    case 'recall':
    case 'react': {
      const foreign = prng.chance(kind === 'react' ? 0.5 : 0.1)
      return { atMs, device, kind, room, back: prng.below(12), foreign }
    }
    case 'page':
      return { atMs, device, kind, room, back: prng.below(40), linearizable: prng.chance(0.5) }
    case 'ack': {
      const read = prng.chance(0.4)
      return { atMs, device, kind, room, back: prng.pick([-1_000, 0, 0, 1, 5]), read }
    }
    case 'receipts':
    case 'signal':
      return { atMs, device, kind, room }
    case 'sync':
      return { atMs, device, kind, anew: prng.chance(0.3) }
    case 'member': {
      const user = `visitor-${users === 2 ? 2 : 2 + prng.below(users - 1)}`
      const owner = devices[0]!.device
      return { atMs, device: owner, kind, room: prng.below(groups), user, joins: prng.chance(0.6) }
    }
    case 'retention':
      return { atMs, device: devices[0]!.device, kind, room, bounds: drawBounds(prng, room) }
    case 'block':
      return { atMs, device: devices[prng.below(2)]!.device, kind, on: prng.chance(0.5) }
    case 'move':
      return { atMs, device, kind }
    case 'feed':
      return { atMs, device: BACKEND, kind, limit: prng.pick([1, 7, 50, 200]) }
    case 'erase':
      return { atMs, device: BACKEND, kind, user: `visitor-${2 + prng.below(users - 1)}` }
    case 'settings': {
      // None that changes what others rely on, such as inboxes without a hole.
      const changes = prng.pick([
        { feedEvents: 1_000 },
        { feedEvents: 1_000_000 },
        { devices: 1 },
        { groupMembers: 2 },
        { groupMembers: 100, devices: 32 },
      ])
      return { atMs, device: BACKEND, kind, changes }
    }
  }
}

/** Of every other conversation by age: where nothing goes by time, what is left can be counted. */
function drawBounds(prng: Prng, room: number): RetentionBounds {
  const maxCount = prng.pick([3, 10, 40])
  const maxBytes = prng.pick([100, 1_000])
  const maxAgeMs = prng.pick([1_000, 5_000])
  if (room % 2 === 1) return { maxAgeMs }
  return prng.pick([{ maxCount }, { maxCount }, { maxBytes }, { maxCount, maxBytes }])
}
