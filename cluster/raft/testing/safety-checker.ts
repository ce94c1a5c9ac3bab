import { assert } from '../../assert.ts'
import { isVoter } from '../configuration.ts'
import type { Message } from '../messages.ts'
import { quorumIndex } from '../quorum.ts'
import { NO_ONE, Role, type Entry, type RaftId } from '../types.ts'
import type { TestReplica } from './test-replica.ts'

/**
 * Raft's promises (§5, figure 3), looked at after every event over the whole history of a run.
 * It knows more than any replica: who led when, and everything that was ever committed.
 */
export class SafetyChecker {
  readonly #leaders = new Map<number, RaftId>()
  readonly #votes = new Map<string, RaftId>()
  /** Every entry that was ever on a log, by term and index, with the term before it. */
  readonly #seen = new Map<string, { data: string; prevTerm: number }>()
  /** Committed entries in order; index 1 first. */
  readonly #committed: Entry[] = []
  readonly #scanned = new Map<RaftId, { term: number; last: number }>()
  readonly #commits = new Map<RaftId, number>()
  readonly #applied = new Map<RaftId, number>()

  /** Terms that had a leader. */
  get elections(): number {
    return this.#leaders.size
  }

  get committed(): number {
    return this.#committed.length
  }

  /** `alive` in any order; `all` includes those that are down: their disks still count. */
  check(alive: readonly TestReplica[], all: readonly TestReplica[]): void {
    for (const replica of alive) {
      const { role, term } = replica.raft
      if (role === Role.leader) this.#checkLeader(replica, term)
      this.#checkApplied(replica)
      this.#checkCommit(replica, all)
    }
    for (const replica of all) this.#checkLog(replica)
  }

  restarted(replica: TestReplica): void {
    this.#commits.delete(replica.id)
    this.#applied.delete(replica.id)
    this.#scanned.delete(replica.id)
  }

  /** Called as a message leaves: nothing it promises may be missing on the sender's disk. */
  leaving(sender: TestReplica, message: Message): void {
    const { hardState } = sender.log
    const preVote = message.type === 'preVote' || message.type === 'preVoteResponse'
    assert(
      preVote || hardState.term >= message.term,
      `${message.type} left before its term was written`,
    )
    if (message.type === 'voteResponse' && !message.rejected)
      this.#voted(sender, message.term, message.to)
    if (message.type === 'vote') this.#voted(sender, message.term, sender.id)
    if (message.type !== 'appendResponse' || message.rejected) return
    assert(message.index <= sender.log.lastIndex(), 'an acknowledgement left before its entries')
  }

  #voted(sender: TestReplica, term: number, candidate: RaftId): void {
    const { hardState } = sender.log
    if (hardState.term === term)
      assert(hardState.vote === candidate, 'a vote left before it was written')
    const key = `${sender.id} ${term}`
    const before = this.#votes.get(key) ?? NO_ONE
    assert(before === NO_ONE || before === candidate, `${sender.id} voted twice in term ${term}`)
    this.#votes.set(key, candidate)
  }

  /** Election Safety and Leader Completeness. */
  #checkLeader(replica: TestReplica, term: number): void {
    const before = this.#leaders.get(term)
    if (before === replica.id) return
    assert(before === undefined, `term ${term} has two leaders, ${before} and ${replica.id}`)
    this.#leaders.set(term, replica.id)
    const { log } = replica
    for (const entry of this.#committed.slice(log.snapshot.index)) {
      assert(
        log.term(entry.index) === entry.term,
        `the leader of ${term} lacks entry ${entry.index}`,
      )
    }
  }

  /** Log Matching: equal term and index means equal data and an equal entry before it. */
  #checkLog(replica: TestReplica): void {
    const { log } = replica
    const last = { term: log.term(log.lastIndex()) ?? 0, last: log.lastIndex() }
    const before = this.#scanned.get(replica.id)
    if (before?.term === last.term && before.last === last.last) return
    this.#scanned.set(replica.id, last)
    let prevTerm = log.snapshot.term
    for (const entry of log.all()) {
      const key = `${entry.term}/${entry.index}`
      const data = `${entry.type} ${Buffer.from(entry.data).toString('latin1')}`
      const seen = this.#seen.get(key)
      if (seen === undefined) this.#seen.set(key, { data, prevTerm })
      else assert(seen.data === data && seen.prevTerm === prevTerm, `two logs differ at ${key}`)
      prevTerm = entry.term
    }
  }

  /** Commits never fall, agree everywhere, and a leader's are on the disks of a majority. */
  #checkCommit(replica: TestReplica, all: readonly TestReplica[]): void {
    const { commit } = replica.raft
    const before = this.#commits.get(replica.id) ?? 0
    assert(commit >= before, `the commit index of ${replica.id} fell from ${before} to ${commit}`)
    if (commit === before) return
    this.#commits.set(replica.id, commit)
    if (commit <= this.#committed.length) return
    const durable = new Map<RaftId, TestReplica>(all.map((one) => [one.id, one]))
    const { configuration } = replica.raft
    // A leader that committed its own removal is one no more.
    const leads = replica.raft.role === Role.leader || !isVoter(configuration, replica.id)
    assert(leads, 'a follower committed what no leader did')
    const quorum = {
      voters: configuration.voters.map(({ id }) => id),
      outgoing: configuration.outgoing.map(({ id }) => id),
    }
    const onMajority = ({ index, term }: Entry) =>
      quorumIndex(quorum, (id) => {
        const { log } = durable.get(id)!
        return log.term(index) === term || log.snapshot.index >= index ? index : 0
      }) >= index
    const source = [...durable.values()].filter((one) => isVoter(configuration, one.id))
    for (let index = this.#committed.length + 1; index <= commit; index++) {
      const entry = source
        .map(({ log }) => log.entries(index, index + 1, Infinity)?.[0])
        .find((one) => one !== undefined && onMajority(one))
      assert(entry !== undefined, `entry ${index} was committed without a majority of disks`)
      this.#committed.push(entry)
    }
    assert(
      replica.raft.term === this.#committed[commit - 1]!.term,
      'a leader committed another’s entry',
    )
  }

  /** State Machine Safety: what is applied is what was committed, in order, once. */
  #checkApplied(replica: TestReplica): void {
    const from = this.#applied.get(replica.id) ?? 0
    const { applied, log } = replica
    const start = Math.min(from, applied.length)
    for (const entry of applied.slice(start)) {
      const committed = this.#committed[entry.index - 1]
      assert(committed !== undefined, `entry ${entry.index} was applied before it was committed`)
      assert(committed.term === entry.term, `${replica.id} applied another entry ${entry.index}`)
      assert(
        entry.index <= log.lastIndex(),
        `entry ${entry.index} was applied before it was durable`,
      )
    }
    for (let at = Math.max(1, start); at < applied.length; at++) {
      assert(applied[at]!.index === applied[at - 1]!.index + 1, 'entries were applied out of order')
    }
    this.#applied.set(replica.id, applied.length)
  }
}
