import { type Clock, type Logger, NO_ONE, object, type RaftId, type Replica, text } from '#cluster'
import { fittestVoter } from '../fittest-voter.ts'
import { adminProblem } from './admin-problem.ts'
import type { Operation, OperationResult, RunningCall } from './operation.ts'
import { readParameters } from './read-parameters.ts'

const LOOK_MS = 10
/** A new leader that says nothing for so long is asked again. */
const ANSWER_MS = 500

export interface TransferParts {
  readonly clock: Clock
  readonly logger: Logger
  replica(): Replica | null
  /** How fit a voter is to lead by its own word; 0: it is going away. */
  fitness(id: RaftId): number
}

/** What `transferLeadership` gives. */
export interface Transferred {
  readonly from: string
  readonly to: string
  readonly term: number
  /** From the first write that waited to the first that the new leader could take. */
  readonly gapMs: number
}

const PARAMETERS = object<{ to: string | null }>({
  to: (value, path) => (value === null || value === undefined ? null : text(255)(value, path)),
})

/**
 * Hands leadership to a voter, or to the fittest one (thesis §3.10).
 * Writes wait meanwhile. Done once the new leader has shown that it can serve; not repeatable, since
 * without a name each time moves it once more.
 */
export function transferLeadership(parts: TransferParts): Operation {
  return {
    name: 'leadership.transfer',
    at: 'leader',
    isRepeatable: false,
    run: (given, call) => {
      const read = readParameters(given, PARAMETERS)
      return 'problem' in read ? read : run(parts, read.parameters.to, call)
    },
  }
}

async function run(
  parts: TransferParts,
  to: string | null,
  { deadlineMs }: RunningCall,
): Promise<OperationResult> {
  const replica = parts.replica()
  if (replica === null) return 'notLeader'
  const { raftId, configuration } = replica
  const nameOf = (id: RaftId) => configuration.voters.find((one) => one.id === id)?.name ?? id
  const from = nameOf(raftId)
  const { term, transferee } = replica.status()
  if (to === from) return { result: { from, to, term, gapMs: 0 } satisfies Transferred }
  const target =
    to === null
      ? fittestVoter(replica, (id) => parts.fitness(id))
      : configuration.voters.find(({ name }) => name === to)?.id
  if (target === null) {
    return {
      problem: adminProblem('UNSAFE', `no other voter answers ${from}: nobody could take over`),
    }
  }
  if (target === undefined) {
    return {
      problem: adminProblem('UNKNOWN_MEMBER', `no voter is called ${to}: see parley members`),
    }
  }
  if (transferee !== NO_ONE && transferee !== target) {
    const message = `leadership is on its way to ${nameOf(transferee)}: ask again`
    return { problem: adminProblem('CHANGE_PENDING', message) }
  }
  parts.logger.info('leadership.transfer', { from, to: nameOf(target) })
  const sinceMs = parts.clock.monotonicMs()
  replica.transferLeadership(target)
  const ended = await endOf(replica, parts.clock, deadlineMs)
  if (ended === 'tooLate') {
    const message = `no leader has shown itself yet: see parley status`
    return { problem: adminProblem('OUTCOME_UNKNOWN', message) }
  }
  if (ended.leader === raftId) {
    const message = `${nameOf(target)} did not take over in time; ${from} still leads: see parley status for what holds ${nameOf(target)} up`
    return { problem: adminProblem('UNREACHABLE', message) }
  }
  const gapMs = Math.round(parts.clock.monotonicMs() - sinceMs)
  return {
    result: { from, to: nameOf(ended.leader), term: ended.term, gapMs } satisfies Transferred,
  }
}

/** Who leads when the handover is over: another one, as soon as it serves, or this node as before. */
async function endOf(
  replica: Replica,
  clock: Clock,
  deadlineMs: number,
): Promise<{ readonly leader: RaftId; readonly term: number } | 'tooLate'> {
  while (clock.monotonicMs() < deadlineMs) {
    await new Promise<void>((resolve) => void clock.after(LOOK_MS, resolve))
    const { leader, transferee, term } = replica.status()
    if (leader === replica.raftId && transferee === NO_ONE) return { leader, term }
    if (leader === replica.raftId || leader === NO_ONE) continue
    // That it serves is shown by an answer of its own; until then it may not even be elected yet.
    const serves = await Promise.race([
      replica.readIndex().then(
        () => true,
        () => false,
      ),
      new Promise<false>((resolve) => void clock.after(ANSWER_MS, () => resolve(false))),
    ])
    if (serves) return { leader, term }
  }
  return 'tooLate'
}
