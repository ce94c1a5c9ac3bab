import type { RaftStatus } from '#cluster'
import type { DurableLog } from './durable-log.ts'
import { demand, type ObservedReplica, type RaftChecker, violate } from './raft-checker.ts'

/**
 * R14: what a leader counts as replicated is on the follower's disk, with the leader's own terms, as
 * long as the follower knows of no later term; and it never sends from below what it has counted.
 */
export class LeaderKnowledge implements RaftChecker {
  readonly #disks: () => readonly DurableLog[]
  /** What was judged last of each peer, by leader: of its newest term. */
  readonly #judged = new Map<
    string,
    { readonly term: number; readonly matches: Map<string, number> }
  >()

  constructor(disks: () => readonly DurableLog[]) {
    this.#disks = disks
  }

  onStatus({ name, disk }: ObservedReplica, { id, role, term, progress }: RaftStatus): void {
    if (role !== 'leader') return
    let judged = this.#judged.get(id)
    if (judged?.term !== term) this.#judged.set(id, (judged = { term, matches: new Map() }))
    for (const { id: peer, match, next, state } of progress) {
      if (peer === id) continue
      if (match >= next) violate('R14', `${name} counts ${match} of ${peer} and sends from ${next}`)
      if (match === 0 || judged.matches.get(peer) === match) continue
      judged.matches.set(peer, match)
      const theirs = this.#disks().find(({ raftId }) => raftId === peer)
      // A lost disk is rule K1's business; one that follows a later leader may have been cut.
      if (theirs === undefined || theirs.wentBack) continue
      if (theirs.term > term || match <= theirs.snapshotIndex) continue
      const [mine, held] = [disk.termAt(match), theirs.termAt(match)]
      demand(
        held !== null && (mine === null || mine === held),
        'R14',
        () =>
          `${name}, leader of term ${term}, counts entry ${match} (term ${mine}) on ${peer} (${state}), whose disk holds ${theirs.lastIndex}, there term ${held}`,
      )
    }
  }
}
