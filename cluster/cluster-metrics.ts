import { counterCells, COUNT_BUCKETS, CounterCell, HistogramCell } from './cells.ts'

/**
 * What one node counts of its share of the cluster, from the start of its process on. Whoever exposes
 * it reads the cells; durations are in seconds.
 */
export class ClusterMetrics {
  /** Leaders that this node came to know, itself included. */
  readonly leaderChanges = new CounterCell()
  /** Terms in which this node stood for election; a pre-vote that failed is none. */
  readonly electionsStood = new CounterCell()
  readonly electionsWon = new CounterCell()
  /** Asked of this node as leader. */
  readonly transfers = new CounterCell()
  /** Commands offered to this node for the log. */
  readonly proposals = counterCells('taken', 'notLeader', 'overloaded')
  /** From an entry's proposal to its commit, on the leader. */
  readonly commitDuration = new HistogramCell()
  /** From the commit known here to the apply here, the replay after a start included. */
  readonly applyDelay = new HistogramCell()
  /** Commands that a leader put into one entry. */
  readonly commandsPerEntry = new HistogramCell(COUNT_BUCKETS)
  /** From a batch handed to the log to its fdatasync done. */
  readonly syncDuration = new HistogramCell()
  /** Entries of one batch; one that holds a term or a vote only counts as none. */
  readonly entriesPerSync = new HistogramCell(COUNT_BUCKETS)
  readonly logBytes = new CounterCell()
  readonly reads = counterCells('confirmed', 'refused')
  /** Of confirmed reads. */
  readonly readDuration = new HistogramCell()
  readonly snapshots = counterCells('sent', 'sendFailed', 'installed', 'receiveFailed')
  readonly snapshotBytes = new CounterCell()
  /** Of streams that arrived whole. */
  readonly snapshotDuration = new HistogramCell()
  readonly peerBytes = counterCells('sent', 'received')
  readonly peerFrames = counterCells('sent', 'received')
  /** Frames that were not sent: the link was down, or held back too much. */
  readonly peerFramesDropped = new CounterCell()
  readonly peerDisconnects = new CounterCell()
  /** Peers that gave another name than those they proved. */
  readonly peersMisnamed = new CounterCell()
}
