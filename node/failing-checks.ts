import { NO_ONE, type Replica } from '#cluster'

/** How the sentences of failing checks begin. */
export const CHECKS = [
  'draining',
  'forming',
  'stranger',
  'no leader',
  'not a voter',
  'catching up',
] as const

export interface NodeCondition {
  readonly name: string
  readonly replica: Replica | null
  readonly draining: boolean
  /** The cluster that does not know this node's empty directory. */
  readonly strangerTo: string | null
  readonly caughtUp: boolean
}

/** What stands against sending clients to this node: a sentence each, from memory (`/readyz`). */
export function failingChecks(condition: NodeCondition): string[] {
  const { name, replica, draining, strangerTo, caughtUp } = condition
  const reasons: string[] = []
  if (draining) reasons.push('draining: this node is going away')
  if (replica === null) {
    reasons.push(
      strangerTo === null
        ? 'forming: not every initial member has been reached'
        : `stranger: cluster ${strangerTo} does not know this empty data directory; run: parley members replace ${name}`,
    )
    return reasons
  }
  if (replica.leader === NO_ONE) {
    reasons.push('no leader: a majority of the members cannot be reached')
  }
  if (!replica.configuration.voters.some(({ id }) => id === replica.raftId)) {
    reasons.push('not a voter: this node is being taken in, or was removed')
  }
  if (!caughtUp) {
    reasons.push('catching up: not yet applied what a leader confirmed after the start')
  }
  return reasons
}
