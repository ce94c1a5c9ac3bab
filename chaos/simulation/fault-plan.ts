import { FAILPOINTS, type FailpointName } from '#cluster'
import type { Prng } from '../prng.ts'
import type { Fault, Swarm } from './swarm.ts'

/** `leader` or names of nodes: whom it hits is the first of them that is there when it is due. */
export type Target = readonly string[]

type Of<K extends Fault, Arguments> = K extends Fault
  ? { readonly atMs: number; readonly kind: K } & Readonly<Arguments>
  : never

/** One thing that is done to the world; `atMs` counts from when the first may come. */
export type PlannedFault =
  | Of<
      'kill' | 'power' | 'pause' | 'isolate' | 'storeRot' | 'wipe',
      { target: Target; forMs: number }
    >
  /** Every node, in order; each is down for a time of its own. */
  | Of<'killAll' | 'powerAll', { forMs: readonly number[] }>
  /** The nodes of `side` and all others do not see each other. */
  | Of<'halves', { side: readonly string[]; forMs: number }>
  /** The same, but for `middle`, whom both sides see. */
  | Of<'bridge', { side: readonly string[]; middle: string; forMs: number }>
  | Of<'oneWay', { target: Target; towards: Target | 'all'; forMs: number }>
  | Of<'clog', { target: Target; towards: Target; forMs: number }>
  | Of<'slowLink', { target: Target; towards: Target; slowMs: number; forMs: number }>
  | Of<'reset', { target: Target; towards: Target }>
  /** Each node sees the one before it in `order` and the one behind it, and no other. */
  | Of<'ring', { order: readonly string[]; forMs: number }>
  /** The other end forgets the connections that the target goes on using. */
  | Of<'halfOpen', { target: Target; towards: Target; forMs: number }>
  /** Of what is sent, a share is lost again and again, or followed by a frame from before. */
  | Of<'lossy' | 'replay', { target: Target; towards: Target; share: number; forMs: number }>
  /** The machine stands still, kernel and all; `pause` stops the process only. */
  | Of<'freeze', { target: Target; forMs: number }>
  /** The event loop stands still for `stallMs`, runs for `everyMs`, and so on. */
  | Of<'stutter', { target: Target; stallMs: number; everyMs: number; forMs: number }>
  /** Dies so many steps from now: events, and what it gives to a disk or a connection. */
  | Of<'crashAt', { target: Target; steps: number; how: 'kill' | 'power'; forMs: number }>
  /** Each of its next lives ends after so many ms. */
  | Of<'crashLoop', { target: Target; livesMs: readonly number[]; forMs: number }>
  | Of<'clockRate', { target: Target; rate: number; forMs: number }>
  | Of<'lateTimers', { target: Target; latenessMs: number; forMs: number }>
  | Of<'wallJump', { target: Target; byMs: number }>
  | Of<'slowDisk', { target: Target; factor: number; forMs: number }>
  | Of<'diskError', { target: Target; operation: 'write' | 'sync'; share: number; forMs: number }>
  /**
   * The process, with `power` the machine, ends when it comes by once more than `passes` times, and its
   * next life where it first comes by `next`.
   */
  | Of<
      'failpoint',
      {
        target: Target
        point: FailpointName | 'beforeSync'
        passes: number
        power: boolean
        forMs: number
        next?: FailpointName
      }
    >
  | Of<'transfer', { to: string }>
  | Of<'diskFull', { target: Target; roomBytes: number; forMs: number }>
  | Of<'readError', { target: Target; share: number; forMs: number }>
  /** A write that was reported as synced is gone, or stands elsewhere; `isLive`: under the process. */
  | Of<'lostWrite' | 'misdirect', { target: Target; draw: number; isLive: boolean; forMs: number }>
  /** The disk is what it was `ageMs` before. */
  | Of<'rollback', { target: Target; ageMs: number; forMs: number }>
  /** Told to end in peace, and started again. */
  | Of<'drain', { target: Target; forMs: number }>
  /** An operator drains it and, after a while, undoes that. */
  | Of<'outOfService', { target: Target; forMs: number }>
  /** Its limits are reloaded, and later again: writes of each device per second, and unanswered. */
  | Of<'throttle', { target: Target; perSecond: number; maxInFlight: number; forMs: number }>
  /** An operator takes in a machine that is new, or was removed before. */
  | Of<'addMember', {}>
  /** Takes one out; `replaceMember`: and takes it in again, with a new disk and a new id. */
  | Of<'removeMember' | 'replaceMember', { target: Target }>
  /** `draw` chooses the file and the bit. */
  | Of<'logRot', { target: Target; draw: number; forMs: number }>

const POINTS = Object.keys(FAILPOINTS) as FailpointName[]
/** Where a batch is torn: drawn more often than any other place, since nearly all else rests on it. */
const TEARING = ['beforeSync', 'log.batchHalfWritten'] as const

type Drawing = Pick<Swarm, 'faults' | 'faultEveryMs' | 'nodes'>

/** All faults of a run, in order. Nothing is left to draw while they are done. */
export function drawFaults(prng: Prng, drawing: Drawing, safetyMs: number): PlannedFault[] {
  const { faults, faultEveryMs } = drawing
  if (faults.length === 0) return []
  const names = Array.from({ length: drawing.nodes }, (_, at) => `n${at + 1}`)
  const planned: PlannedFault[] = []
  for (let atMs = 0; ;) {
    atMs += -Math.log(1 - prng.float()) * faultEveryMs
    if (atMs >= safetyMs) return planned
    planned.push({ atMs: rounded(atMs), ...drawFault(prng, prng.pick(faults), names) })
  }
}

type Untimed<T> = T extends unknown ? Omit<T, 'atMs'> : never

function drawFault(prng: Prng, kind: Fault, names: readonly string[]): Untimed<PlannedFault> {
  // Half of them look for the leader: most of what is hard happens there.
  const target = prng.chance(0.5) ? ['leader', prng.pick(names)] : [prng.pick(names)]
  const shuffled = prng.shuffled(names)
  const half = Math.ceil(names.length / 2)
  const forMs = drawDuration(prng)
  switch (kind) {
    case 'kill':
    case 'power':
    case 'pause':
    case 'isolate':
    case 'storeRot':
    case 'wipe':
      return { kind, target, forMs }
    case 'killAll':
    case 'powerAll':
      return { kind, forMs: names.map(() => drawDuration(prng)) }
    case 'halves':
      return { kind, side: shuffled.slice(0, half), forMs }
    case 'bridge':
      return { kind, middle: shuffled[0]!, side: shuffled.slice(1, half), forMs }
    case 'oneWay':
      return { kind, target, towards: prng.chance(0.5) ? 'all' : shuffled.slice(0, 2), forMs }
    case 'clog':
      return { kind, target, towards: shuffled.slice(0, 2), forMs: rounded(prng.between(50, 5e3)) }
    case 'slowLink': {
      const slowMs = prng.pick([20, 200, 1_000])
      return { kind, target, towards: shuffled.slice(0, 2), slowMs, forMs }
    }
    case 'reset':
      return { kind, target, towards: shuffled.slice(0, 2) }
    case 'wallJump':
      return { kind, target, byMs: rounded(prng.between(-1, 1) * prng.pick([100, 1e4, 1e9, 4e10])) }
    case 'slowDisk':
      return { kind, target, factor: prng.pick([5, 30, 200]), forMs }
    case 'diskError': {
      const operation = prng.pick(['write', 'sync'] as const)
      return { kind, target, operation, share: prng.pick([0.01, 0.2, 1]), forMs }
    }
    case 'failpoint': {
      const how = { passes: prng.pick([0, 0, 1, 5, 40]), power: prng.chance(0.3), forMs }
      if (prng.chance(0.2)) return { kind, target, point: prng.pick(TEARING), ...how }
      const point = prng.pick(POINTS)
      const again = prng.chance(0.2) ? { next: prng.pick(POINTS) } : {}
      // Only a leader reaches a leader's failpoint.
      return {
        kind,
        target: point.startsWith('leader.') ? ['leader'] : target,
        point,
        ...how,
        ...again,
      }
    }
    case 'transfer':
      return { kind, to: prng.pick(names) }
    case 'logRot':
      return { kind, target, draw: prng.uint32(), forMs }
    case 'ring':
      return { kind, order: shuffled, forMs }
    case 'halfOpen':
      return { kind, target, towards: shuffled.slice(0, 2), forMs }
    case 'lossy':
    case 'replay': {
      const share = prng.pick([0.02, 0.2, 0.8])
      return { kind, target, towards: shuffled.slice(0, 2), share, forMs }
    }
    case 'freeze':
      return { kind, target, forMs }
    case 'stutter': {
      const stallMs = rounded(prng.pick([30, 300, 1_500]) * prng.between(0.5, 2))
      return { kind, target, stallMs, everyMs: rounded(prng.between(1, 400)), forMs }
    }
    case 'crashAt': {
      const steps = 1 + prng.below(prng.pick([20, 500, 3_000]))
      return { kind, target, steps, how: prng.pick(['kill', 'power'] as const), forMs }
    }
    case 'crashLoop': {
      const longestMs = prng.pick([1, 20, 300])
      const livesMs = Array.from({ length: 10 }, () => rounded(prng.between(0, longestMs)))
      return { kind, target, livesMs, forMs: 10 * (longestMs + 20) }
    }
    case 'clockRate':
      return { kind, target, rate: prng.pick([0.2, 0.7, 1.5, 5]), forMs }
    case 'lateTimers':
      return { kind, target, latenessMs: prng.pick([50, 500, 3_000]), forMs }
    case 'diskFull':
      return { kind, target, roomBytes: prng.chance(0.5) ? 0 : prng.below(100_000), forMs }
    case 'readError':
      return { kind, target, share: prng.pick([0.01, 0.2, 1]), forMs }
    case 'lostWrite':
    case 'misdirect':
      return { kind, target, draw: prng.uint32(), isLive: prng.chance(0.5), forMs }
    case 'drain':
    case 'outOfService':
      return { kind, target, forMs }
    case 'throttle': {
      const maxInFlight = prng.pick([5, 50, 1_000])
      return { kind, target, perSecond: prng.pick([1, 10, 50]), maxInFlight, forMs }
    }
    case 'addMember':
      return { kind }
    case 'removeMember':
    case 'replaceMember':
      return { kind, target }
    case 'rollback':
      return { kind, target, ageMs: drawDuration(prng), forMs }
  }
}

function drawDuration(prng: Prng): number {
  return rounded(prng.pick([50, 400, 1_500, 6_000]) * prng.between(0.5, 2))
}

/** To the microsecond: a plan is read by people. */
function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000
}
