import type { Prng } from '../prng.ts'
import { drawFeatureSwarm, type FeatureSwarm } from './feature-plan.ts'
import type { LinkOptions } from './sim-link.ts'
import type { NodeProfile } from './sim-node.ts'

/** What a nemesis may do in a run. */
export const FAULTS = [
  'kill',
  'killAll',
  'power',
  'powerAll',
  'pause',
  'isolate',
  'halves',
  'bridge',
  'oneWay',
  'clog',
  'slowLink',
  'reset',
  'wallJump',
  'slowDisk',
  'diskError',
  'failpoint',
  'transfer',
  'storeRot',
  'logRot',
  'wipe',
  'ring',
  'halfOpen',
  'lossy',
  'replay',
  'freeze',
  'stutter',
  'crashAt',
  'crashLoop',
  'clockRate',
  'lateTimers',
  'diskFull',
  'readError',
  'lostWrite',
  'misdirect',
  'rollback',
  'drain',
  'addMember',
  'removeMember',
  'replaceMember',
  'outOfService',
  'throttle',
] as const
export type Fault = (typeof FAULTS)[number]

/** Everything that a seed decides about a run before it begins. */
export interface Swarm extends FeatureSwarm {
  readonly nodes: number
  readonly link: LinkOptions
  readonly profile: NodeProfile
  readonly faults: readonly Fault[]
  /** Between two faults, on average. */
  readonly faultEveryMs: number
  /** No node writes a checkpoint after less quiet. */
  readonly leastCheckpointIdleMs: number
  readonly devices: number
  readonly conversations: number
  readonly window: number
  readonly thinkMs: number
  readonly repeatShare: number
  readonly moveShare: number
  readonly pullShare: number
  /** Of the devices but the first, which are applications on the SDK. */
  readonly sdkShare: number
  /** Of the operations of an application, in how many it dies. */
  readonly crashShare: number
  /** In how many runs some founders are of an older version, and are upgraded one by one. */
  readonly olderShare: number
  /** In how many runs a backup is restored: that takes as long as a short run. */
  readonly restoreShare: number
}

/**
 * For many simulated hours: a cluster of three with little to do, and a fault every five seconds. It
 * meets what takes long, such as idle links, old snapshots and late timers.
 */
export const SPARSE: Partial<Swarm> = {
  nodes: 3,
  devices: 3,
  conversations: 2,
  window: 4,
  thinkMs: 480,
  faultEveryMs: 5_000,
  leastCheckpointIdleMs: 2_000,
}

const KIB = 1024

/** Each run gets a random part of everything: rare combinations come up, and most runs stay fast. */
export function drawSwarm(prng: Prng, fixed: Partial<Swarm> = {}): Swarm {
  const nodes = fixed.nodes ?? prng.pick([1, 2, 3, 3, 3, 3, 5, 5, 5, 7])
  const devices = 2 + prng.below(7)
  const faultShare = prng.pick([0.1, 0.25, 0.5])
  const leastCheckpointIdleMs = fixed.leastCheckpointIdleMs ?? 0
  return {
    nodes,
    link: drawLink(prng.split('link')),
    profile: drawProfile(prng.split('profile'), leastCheckpointIdleMs),
    faults: prng.chance(0.05) ? [] : FAULTS.filter(() => prng.chance(faultShare)),
    faultEveryMs: prng.pick([300, 1_000, 3_000, 6_000]),
    leastCheckpointIdleMs,
    devices,
    conversations: prng.pick([1, 2, 5, 12]),
    window: prng.pick([1, 4, 16, 50]),
    thinkMs: devices * prng.pick([5, 10, 30]),
    repeatShare: prng.pick([0, 0.05, 0.2]),
    moveShare: prng.pick([0, 0.002, 0.02]),
    pullShare: prng.pick([0.05, 0.2, 0.5]),
    ...drawApplications(prng.split('applications')),
    olderShare: 0.3,
    restoreShare: 0.3,
    ...drawFeatureSwarm(prng.split('features')),
    ...fixed,
  }
}

function drawApplications(prng: Prng): Pick<Swarm, 'sdkShare' | 'crashShare'> {
  return { sdkShare: prng.pick([0, 0, 0.3, 1]), crashShare: prng.pick([0, 0.002, 0.01]) }
}

function drawLink(prng: Prng): LinkOptions {
  return {
    delayMs: prng.pick([0.05, 0.5, 2, 10]),
    jitterMs: prng.pick([0.2, 2, 10, 40]),
    lossShare: prng.pick([0, 0, 0.002, 0.02]),
    corruptShare: prng.pick([0, 0, 0, 0.000_5]),
    splitShare: prng.pick([0, 0, 0.01, 0.2]),
  }
}

function drawProfile(prng: Prng, leastCheckpointIdleMs: number): NodeProfile {
  // Who keeps hardly any log sends snapshots to whoever was away for a moment.
  const keepsLittle = prng.split('log').chance(0.4)
  const checkpointBytes = keepsLittle ? 2 * KIB : prng.pick([2 * KIB, 64 * KIB, 1024 * KIB])
  return {
    replica: {
      tickMs: prng.pick([30, 50, 100]),
      electionTicks: 10,
      maxBatchBytes: prng.pick([512, 16 * KIB, 256 * KIB]),
      maxPendingBytes: prng.pick([256 * KIB, 64 * KIB * KIB]),
      maxHeldBytes: prng.pick([4 * KIB, 4 * KIB * KIB]),
      trailingLogBytes: keepsLittle ? 0 : prng.pick([0, 64 * KIB, 256 * KIB * KIB]),
      snapshotChunkBytes: prng.split('snapshots').pick([1, 16, 1024]) * KIB,
    },
    gateway: {
      flushSlice: prng.pick([1, 200]),
      maxPageEvents: prng.pick([7, 100]),
      maxInFlight: prng.pick([200, 1_000]),
      slowBytes: prng.pick([8 * KIB, KIB * KIB]),
    },
    log: { segmentBytes: (keepsLittle ? 4 : prng.pick([4, 8, 64, 512])) * KIB },
    state: {
      checkpointBytes,
      // Small ones go with it: what a slow database digests in a write's patience.
      dirtyBytes: checkpointBytes * prng.pick([4, 12]),
      checkpointIdleMs: Math.max(
        leastCheckpointIdleMs,
        keepsLittle ? 150 : prng.pick([150, 2_000, 30_000]),
      ),
      hotBytes: prng.pick([0, 4 * KIB, 1024 * KIB]),
      conversations: prng.pick([1, 10, 1_000]),
      verdicts: prng.pick([5, 200, 20_000]),
      chunkBytes: prng.pick([200, 16 * KIB]),
    },
    disk: {
      operationMs: prng.pick([0.05, 1]),
      syncMs: prng.pick([
        [0.05, 0.3],
        [0.2, 5],
        [1, 80],
      ] as const),
      inlineShare: prng.pick([0, 0.5, 1]),
      capacityBytes: Infinity,
    },
    // A slow one with tiny cuts takes less than anybody writes: then nothing recovers in time.
    database: prng.chance(0.5)
      ? { readMs: 3, writeMs: checkpointBytes < 64 * KIB ? 4 : 40 }
      : { readMs: 0.05, writeMs: 1 },
    clockDrift: prng.pick([0, 0.002, 0.05]),
    timerLatenessMs: prng.pick([0.2, 1, 10]),
    lookMs: prng.pick([0, 0, 0.02, 0.2]),
  }
}
