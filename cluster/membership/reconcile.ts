import type { Configuration, Member } from '../raft/configuration.ts'
import type { PeerStatus } from '../raft/ready.ts'

/** A learner this close to the commit index is ready to vote. */
const CLOSE_ENTRIES = 64

/** What a leader knows when it looks whether the members must change. */
export interface MembershipView {
  readonly configuration: Configuration
  readonly progress: readonly PeerStatus[]
  readonly commit: number
  readonly self: string
}

/**
 * The next step towards the members that the configuration itself asks for (rule K1), or `null`: a
 * learner that bears a voter's name stands in for that voter: once it has caught up, the old id is
 * removed, then the new one is promoted. A learner of a new name is promoted once it has caught up.
 * A pure function of the log: whoever leads next goes on where the last leader stopped.
 */
export function nextConfiguration(view: MembershipView): Configuration | null {
  const { configuration } = view
  for (const learner of configuration.learners) {
    if (!caughtUp(view, learner)) continue
    const old = configuration.voters.find(({ name }) => name === learner.name)
    const next = old === undefined ? promote(configuration, learner) : without(configuration, old)
    if (old !== undefined && !majorityAnswers(view, next)) continue
    return next
  }
  return null
}

/** A new replica begins as a learner: it counts for no quorum before it has caught up. */
export function withLearner(configuration: Configuration, learner: Member): Configuration {
  const learners = configuration.learners.filter(({ name }) => name !== learner.name)
  return { ...configuration, learners: [...learners, learner] }
}

function promote(configuration: Configuration, learner: Member): Configuration {
  return {
    ...configuration,
    voters: [...configuration.voters, learner],
    learners: configuration.learners.filter(({ id }) => id !== learner.id),
  }
}

function without(configuration: Configuration, voter: Member): Configuration {
  return { ...configuration, voters: configuration.voters.filter(({ id }) => id !== voter.id) }
}

function caughtUp({ progress, commit }: MembershipView, learner: Member): boolean {
  const peer = progress.find(({ id }) => id === learner.id)
  return peer?.state === 'replicate' && peer.match + CLOSE_ENTRIES >= commit
}

/**
 * A removal must not leave a quorum that nobody can form now. `active` is a round of the quorum check
 * old at most, so that a removal is not refused for having been asked at the beginning of one; a
 * leader that found no quorum steps down in the turn in which it looked, and proposes nothing more.
 */
export function majorityAnswers({ progress, self }: MembershipView, next: Configuration): boolean {
  const answering = next.voters.filter(
    ({ id }) => id === self || progress.some((peer) => peer.id === id && peer.active),
  )
  return answering.length > next.voters.length / 2
}
