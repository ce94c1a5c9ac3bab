import type { RaftStatus } from '#cluster'
import type { DurableLog, SyncedBatch } from './durable-log.ts'
import { demand, type ObservedReplica, type RaftChecker } from './raft-checker.ts'

/**
 * R5: what a leader commits is an entry of its own term and durable on a majority of the voters at
 * that moment (Raft §5.3, §5.4.2); no replica ever commits another entry at its index (§5.4.3), and
 * no disk that holds it ever gives it up, so a majority keeps it whatever minority is lost.
 * R6: a new leader's log holds everything that was ever committed (§5.4.3).
 */
export class CommittedEntries implements RaftChecker {
  readonly #disks: () => readonly DurableLog[]
  /** The term of each committed entry; ended by the highest. */
  readonly #terms: number[] = [0]
  readonly #compared = new Map<string, number>()
  #leaderTerm = 0

  constructor(disks: () => readonly DurableLog[]) {
    this.#disks = disks
  }

  get highest(): number {
    return this.#terms.length - 1
  }

  /** The term of a committed entry, -1 if no disk could tell. */
  termAt(index: number): number {
    return this.#terms[index] ?? -1
  }

  onBatch({ name }: ObservedReplica, { removed, batch: { snapshot } }: SyncedBatch): void {
    for (const { index, term } of removed) {
      if (snapshot !== null && index <= snapshot.index) continue
      demand(
        index > this.highest || this.#terms[index] !== term,
        'R5',
        () => `${name} removes the committed entry ${index} of term ${term} from its disk`,
      )
    }
  }

  onStatus(replica: ObservedReplica, status: RaftStatus): void {
    const { id, role, term, commit, persisted } = status
    if (role === 'leader' && term > this.#leaderTerm) {
      this.#leaderTerm = term
      this.#elected(replica, status)
    }
    if (commit > this.highest) this.#commitNew(replica, status)
    // A follower may know of a commit before its own copy is on disk.
    const before = this.#compared.get(id) ?? 0
    const upTo = Math.min(commit, persisted)
    if (upTo <= before) return
    this.#compare(replica, before, upTo)
    this.#compared.set(id, upTo)
  }

  #commitNew({ name, voters }: ObservedReplica, { commit, term, role }: RaftStatus): void {
    const disks = this.#disks()
    let found = -1
    let count = -1
    for (const disk of disks) {
      const of = disk.termAt(commit)
      if (of === null || of === found) continue
      const holders = holdersOf(disks, voters, commit, of)
      if (holders <= count) continue
      found = of
      count = holders
    }
    // A follower may not know yet who the voters are: one step behind it counts one too few.
    const slack = role === 'leader' ? 0 : 1
    demand(
      Math.max(0, count) + slack > voters.length / 2,
      'R5',
      () => `${name} commits ${commit}, durable on ${Math.max(0, count)} of ${voters.length}`,
    )
    if (role === 'leader') {
      demand(
        found === term,
        'R5',
        () => `${name}, leader of term ${term}, commits ${commit} of term ${found} by counting`,
      )
    }
    // By rule R3 every disk with this entry has the same ones before it, those it still has.
    for (let index = this.#terms.length; index < commit; index++) {
      const source = disks.find(
        (disk) => disk.termAt(commit) === found && disk.termAt(index) !== null,
      )
      this.#terms.push(source?.termAt(index) ?? -1)
    }
    this.#terms.push(found)
  }

  #compare({ name, disk }: ObservedReplica, before: number, commit: number): void {
    for (let index = before + 1; index <= commit; index++) {
      const mine = disk.termAt(index)
      const committed = this.#terms[index]!
      if (mine === null || committed < 0) continue
      demand(
        mine === committed,
        'R5',
        () =>
          `${name} commits ${index} of term ${mine}, others committed that of term ${committed}`,
      )
    }
  }

  #elected({ name, disk }: ObservedReplica, { term, lastIndex }: RaftStatus): void {
    const { highest } = this
    demand(
      lastIndex >= highest,
      'R6',
      () => `${name} leads term ${term} with a log up to ${lastIndex}; ${highest} is committed`,
    )
    const mine = disk.termAt(highest)
    const committed = this.#terms[highest]!
    demand(
      mine === null || committed < 0 || mine === committed,
      'R6',
      () => `${name} leads term ${term} without the committed entry ${highest}`,
    )
  }
}

/** How many of the voters ever had the entry on a disk. */
function holdersOf(
  disks: readonly DurableLog[],
  voters: readonly string[],
  index: number,
  term: number,
): number {
  let count = 0
  for (const id of voters) {
    if (disks.some((disk) => disk.everHeld(id, index, term))) count += 1
  }
  return count
}
