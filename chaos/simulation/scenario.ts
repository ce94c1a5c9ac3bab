import type { Subprotocol } from '#protocol'
import { Prng } from '../prng.ts'
import type { Operation } from '../workload/operation.ts'
import type { Application } from '../workload/sdk-device.ts'
import { drawFaults, type PlannedFault } from './fault-plan.ts'
import { drawFeatures, type FeaturePlan } from './feature-plan.ts'
import { drawOperations } from './operation-plan.ts'
import type { LinkOptions } from './sim-link.ts'
import type { NodeProfile } from './sim-node.ts'
import { drawSwarm, type Swarm } from './swarm.ts'

/**
 * All that a run depends on, as data: it can be read, edited and run again. Each node, link and device
 * draws its own small chances (how long a sync takes) from `seed` and its own name, so a fault or an
 * operation that is taken out moves none of the others.
 */
export interface Scenario {
  readonly seed: number | string
  /** Simulated time in which things are broken; then everything is healed. */
  readonly safetyMs: number
  /** They are called n1, n2, … */
  readonly nodes: number
  /** Machines beside them that are off and empty, for members to come. @default 0 */
  readonly spares?: number
  /** Founders that are of an older version in so many of their first lives, in their order. @default none */
  readonly older?: readonly OlderNode[]
  readonly link: LinkOptions
  readonly profile: NodeProfile
  readonly conversations: number
  /** Unsettled writes per device and conversation. */
  readonly window: number
  readonly devices: readonly {
    readonly device: string
    readonly user: string
    readonly subprotocol: Subprotocol
    /** It is an application on the SDK. @default one that speaks the wire by itself */
    readonly sdk?: Application
  }[]
  /** Done while the cluster forms, in order of time from the first start. @default none */
  readonly forming?: readonly PlannedFault[]
  /** In order of time. */
  readonly faults: readonly PlannedFault[]
  /** In order of time. */
  readonly operations: readonly Operation[]
  /** Everything beside messages. @default none */
  readonly features?: FeaturePlan
  /** A backup that is taken at the end is restored, and clients come to that cluster. @default no */
  readonly restores?: boolean
}

/** A founder of an older version, until an operator upgrades it or it was started often enough. */
export interface OlderNode {
  readonly name: string
  /** Its lives as that version, the first included. */
  readonly lives: number
  /** When its operator drains it and starts the newer version, in ms from the first start. */
  readonly untilMs: number
}

const SPARES = 2
/** What a snapshot may take of the time in which a cluster has to recover: see `liveness.ts`. */
const SNAPSHOT_TICKS = 60
/** Of the work of both ends on a chunk or a page. */
const WORK_MS = 2
/** In which an application takes in all there is: far less than what a run waits for it. */
const STREAM_MS = 50_000
/** What a message takes in a store, without its padding: body, names, places in inboxes, result. */
const EVENT_BYTES = 400
/** A cluster forms within less; then what keeps it from that is put right. */
const FORMING_MS = 2_000
/** What a node may meet before it has anything to lose (rule K1). */
const WHILE_FORMING = [
  'kill',
  'power',
  'killAll',
  'powerAll',
  'crashAt',
  'crashLoop',
  'reset',
] as const

/** The scenario that a seed stands for, but for what `fixed` says. */
export function drawScenario(
  seed: number | string,
  safetyMs: number,
  fixed: Partial<Swarm> = {},
): Scenario {
  const prng = new Prng(seed)
  const swarm = drawSwarm(prng.split('swarm'), fixed)
  const { nodes, link, conversations, window } = swarm
  const protocols = prng.split('protocols')
  const applications = prng.split('applications')
  const { featureShare } = swarm
  const everyMs = swarm.thinkMs / swarm.devices / featureShare
  const features =
    featureShare === 0 ? null : drawFeatures(prng.split('features'), swarm, everyMs, safetyMs)
  const left = prng.split('left')
  const forming = swarm.faults.filter((kind) => WHILE_FORMING.some((one) => one === kind))
  const devices = Array.from({ length: swarm.devices }, (_, at) => {
    const isSdk = at > 0 && applications.chance(swarm.sdkShare)
    return {
      device: `device-${at + 1}`,
      user: `user-${Math.floor(at / 2) + 1}`,
      subprotocol: protocols.pick(['parley.v1.json', 'parley.v1.msgpack'] as const),
      ...(isSdk ? { sdk: drawApplication(applications) } : {}),
    }
  })
  const operations = drawOperations(prng.split('operations'), { ...swarm, devices }, safetyMs)
  return {
    seed,
    safetyMs,
    nodes,
    ...(swarm.faults.includes('addMember') ? { spares: SPARES } : {}),
    ...drawOlder(prng.split('older'), swarm, safetyMs),
    link,
    profile: withChunksFor(swarm.profile, link, operations),
    devices: devices.map((who) => withBufferFor(who, link, operations)),
    conversations,
    window,
    forming: drawFaults(
      prng.split('forming'),
      { ...swarm, faults: forming, faultEveryMs: FORMING_MS / 4 },
      FORMING_MS,
    ),
    faults: drawFaults(prng.split('faults'), swarm, safetyMs),
    // All together as many as without the others.
    operations: operations.filter(() => !left.chance(featureShare)),
    ...(features === null ? {} : { features }),
    ...(prng.split('restores').chance(swarm.restoreShare) ? { restores: true } : {}),
  }
}

/** In some runs an upgrade goes on: the level can rise only when it is through. */
function drawOlder(
  prng: Prng,
  { nodes, olderShare }: Swarm,
  safetyMs: number,
): { readonly older?: readonly OlderNode[] } {
  if (!prng.chance(olderShare)) return {}
  const older = Array.from({ length: nodes }, (_, at) => ({
    name: `n${at + 1}`,
    lives: prng.pick([0, 1, 1, 2, 3]),
    untilMs: Math.round(prng.between(2_000, safetyMs)),
  })).filter(({ lives }) => lives > 0)
  return older.length === 0 ? {} : { older }
}

/**
 * A snapshot holds what was ever sent, and one chunk of it is on its way at a time: with the smallest
 * chunks no cluster of two that waits for one recovers in time where links are slow and clients busy.
 */
function withChunksFor(
  profile: NodeProfile,
  link: LinkOptions,
  operations: readonly Operation[],
): NodeProfile {
  const { snapshotChunkBytes = 1 << 20, tickMs = 50 } = profile.replica
  let bytes = 0
  for (const one of operations) if (one.kind === 'send') bytes += EVENT_BYTES + one.padding
  const most = Math.ceil((SNAPSHOT_TICKS * tickMs) / roundMs(link))
  const chunkBytes = Math.max(snapshotChunkBytes, Math.ceil(bytes / most))
  return { ...profile, replica: { ...profile.replica, snapshotChunkBytes: chunkBytes } }
}

/** Whoever buffers one event reads one in a round trip: a new installation reads what was ever sent. */
function withBufferFor<T extends { readonly sdk?: Application }>(
  who: T,
  link: LinkOptions,
  operations: readonly Operation[],
): T {
  if (who.sdk === undefined) return who
  const sent = operations.filter(({ kind }) => kind === 'send').length
  const fewest = Math.ceil((sent * roundMs(link)) / STREAM_MS)
  const bufferedEvents = Math.max(who.sdk.bufferedEvents, fewest)
  return { ...who, sdk: { ...who.sdk, bufferedEvents } }
}

/** There and back on average: jitter is most often little. */
function roundMs({ delayMs, jitterMs }: LinkOptions): number {
  return 2 * (delayMs + jitterMs / 4) + WORK_MS
}

function drawApplication(prng: Prng): Application {
  return {
    listening: prng.pick(['nothing', 'conversations', 'conversations', 'messages'] as const),
    bufferedEvents: prng.pick([1, 8, 500]),
    // The shortest patience gives up now and then, and the application asks again.
    retry: prng.pick([
      {},
      { initialDelayMs: 50, maxDelayMs: 1_000 },
      { initialDelayMs: 20, maxDelayMs: 100, maxRetries: 3 },
    ]),
  }
}
