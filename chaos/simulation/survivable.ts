/** What rule K10 asks of one disk. */
export interface DiskStanding {
  /** Lost, damaged, or not yet replaced since. */
  readonly isHurt: boolean
}

/** What a disk certainly holds of the log: see `DurableLog`. */
export interface HeldLog {
  readonly raftId: string
  readonly term: number
  readonly vote: string
  readonly lastIndex: number
  readonly snapshotIndex: number
  termAt(index: number): number | null
}

/**
 * Rule K10: at most f of 2f+1 disks may be lost, damaged or not yet replaced at one time, and of what
 * may happen to a disk this is the only bound. Whether one more may be hurt now.
 */
export function mayHurt(disks: readonly DiskStanding[], which: DiskStanding): boolean {
  const hurt = disks.filter((disk) => disk.isHurt && disk !== which).length
  return hurt + 1 <= Math.floor((disks.length - 1) / 2)
}

/**
 * A disk that goes back to an older image is hurt and cannot know it: it goes on to vote and to count.
 * That is survived if what it forgets is nothing that anybody counts on it for: not the vote of its
 * term, and no entry that a majority of the voters does not hold without it. What is lost beyond that is
 * what nobody can survive (Raft §5.1 takes stable storage for granted).
 */
export function mayForget(
  now: HeldLog,
  image: Pick<HeldLog, 'raftId' | 'term' | 'vote'>,
  others: readonly HeldLog[],
  voters: readonly string[],
): boolean {
  const sameVote = now.raftId === image.raftId && now.term === image.term && now.vote === image.vote
  if (!sameVote || now.raftId === '') return false
  const index = now.lastIndex
  const term = now.termAt(index)
  const holders = others.filter(
    (other) =>
      voters.includes(other.raftId) &&
      (other.snapshotIndex >= index || (term !== null && other.termAt(index) === term)),
  )
  return holders.length > voters.length / 2
}
