import { type ClusterNode, NO_ONE, type Replica } from '#cluster'

/** What is checked before clients are sent to a node; a failing one begins its sentence. */
export const CHECKS = [
  'draining',
  'forming',
  'stranger',
  'quorum',
  'refused',
  'not a voter',
  'catching up',
  'disk',
] as const

/**
 * A majority that was not heard for so long is not there, whatever Raft still believes: a leader
 * notices by itself after one to two seconds, a follower of a frozen one after as many.
 */
export const QUORUM_SILENCE_MS = 1_500

export interface NodeCondition {
  readonly name: string
  readonly cluster: Pick<ClusterNode, 'replica' | 'transport'>
  readonly draining: boolean
  /** Its fellows are of another cluster: what to do. */
  readonly foreign: string | null
  /** It was started to be taken in. */
  readonly joins: boolean
  /** The cluster that does not know this node's empty directory. */
  readonly strangerTo: string | null
  readonly caughtUp: boolean
  /** For want of room on its disk. */
  readonly fallsBehind: boolean
  /** How long the leader, or the lack of one, has been the same. */
  readonly leaderForMs: number
}

/** What stands against sending clients to this node: a sentence each, from memory (`/readyz`). */
export function failingChecks(condition: NodeCondition): string[] {
  const { name, cluster, draining, strangerTo, caughtUp } = condition
  const { replica } = cluster
  const reasons: string[] = []
  if (draining) reasons.push('draining: this node is going away')
  if (condition.foreign !== null) reasons.push(`refused: ${condition.foreign}`)
  // While others make a majority, one that is refused stops nobody else.
  const isAlone = replica === null || replica.leader === NO_ONE
  if (isAlone)
    reasons.push(...cluster.transport.refusals().map(({ message: why }) => `refused: ${why}`))
  if (replica === null) {
    reasons.push(
      condition.joins
        ? `forming: waits to be taken in; run: parley members add ${name}`
        : strangerTo === null
          ? 'forming: not every initial member has been reached'
          : `stranger: cluster ${strangerTo} does not know this empty data directory; run: parley members replace ${name}`,
    )
    return reasons
  }
  const quorum = quorumFailure(condition, replica)
  if (quorum !== null) reasons.push(`quorum: ${quorum}`)
  if (!replica.configuration.voters.some(({ id }) => id === replica.raftId)) {
    reasons.push('not a voter: this node is being taken in, or was removed')
  }
  if (condition.fallsBehind) {
    reasons.push('disk: it is all but full, and this node takes nothing new; free or add space')
  }
  if (!caughtUp) {
    reasons.push('catching up: not yet applied what a leader confirmed after the start')
  }
  return reasons
}

function quorumFailure({ cluster, leaderForMs }: NodeCondition, replica: Replica): string | null {
  if (replica.leader === NO_ONE) return `no leader for ${seconds(leaderForMs)}`
  const silences = replica.configuration.voters
    .map(({ id }) => (id === replica.raftId ? 0 : (cluster.transport.heardAgoMs(id) ?? Infinity)))
    .sort((a, b) => a - b)
  // The nearest majority is as silent as the last one of it.
  const silenceMs = silences[Math.floor(silences.length / 2)] ?? 0
  if (silenceMs <= QUORUM_SILENCE_MS) return null
  return silenceMs === Infinity
    ? 'a majority of the voters was never heard'
    : `a majority of the voters was not heard for ${seconds(silenceMs)}`
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
