/**
 * Named places where a drill may end the process (or, in simulation, crash the node) to prove that
 * nothing acknowledged depends on surviving them. Outside drills `hit` does nothing.
 */
export interface Failpoints {
  /** May never return. */
  hit(name: FailpointName): void
  /** Whether the next `hit` of this name ends the process: lets a place prepare its worst moment. */
  armed(name: FailpointName): boolean
}

/** `area.whatJustHappened`, and what a process that ends there leaves behind. */
export const FAILPOINTS = {
  'leader.appendedUnsent': 'it wrote its entry, and sent it to nobody',
  'leader.oneAck': 'the first follower acknowledged an entry, which is not committed yet',
  'leader.committedUnanswered': 'an entry is committed, not applied, and nobody was told',

  'replica.authorityGained': 'a new leader applied its first entry, and has proposed nothing yet',
  'replica.ticked': 'time passed for the core, and nothing came of it yet',
  'replica.readyTaken': 'the core handed out what is to be written, and nothing is',
  'replica.sentUnwritten': 'messages left, and the write that they go with has not begun',
  'replica.persistedUnsent': 'a batch is durable, and its answers were not sent',
  'replica.votePersisted': 'a vote is durable, and the candidate was not told',
  'replica.candidacyPersisted': 'a vote for itself is durable, and nobody was asked for theirs',
  'replica.sentUnconfirmed': 'the answers left, and its own core does not know of the write',
  'replica.batchHalfApplied': 'of the entries that are committed some are applied',
  'replica.appliedUnanswered': 'an entry is applied, and its results have not left',
  'replica.readConfirmed': 'a linearizable read got its index, and is not served',

  'log.batchPlaced': 'a batch has its place in the log, and nothing of it is written',
  'log.batchHalfWritten': 'half of a batch is written, not synced',
  'log.batchWritten': 'a batch is written, not synced',
  'log.batchSynced': 'a batch is synced, and nobody was told',
  'log.hardStateSynced': 'a term, a vote or a commit index alone is synced, and nobody was told',
  'log.suffixReplaced': 'the entries that replace others are synced, and nobody was told',
  'log.segmentZeroed': 'a new segment is full of zeros under its temporary name, not synced',
  'log.segmentHeaded': 'a new segment has its first batch under its temporary name, not synced',
  'log.segmentSynced': 'a new segment is synced under its temporary name',
  'log.segmentNamed': 'a new segment has its name, which is not synced',
  'log.segmentMade': 'a new segment is durable, and nobody uses it',
  'log.rotated': 'a batch goes into a new segment, and nothing of it is written',
  'log.created': 'the log of an empty directory is durable, and nobody heard its id',
  'log.bootRead': 'the log was read and found whole, and nothing of it was changed',
  'log.bootSwept': 'a start removed what is not needed, and has not secured the newest batch',
  'log.bootEndCopied': 'the newest batch stands in a segment of its own and in its old place',
  'log.bootEndCut': 'the newest batch stands in a segment of its own only, and nobody uses it',
  'log.releaseNoted': 'it is durable which segments may go, and all are there',
  'log.segmentRemoved': 'one of the segments that may go is removed',
  'log.segmentsRemoved': 'all segments that may go are removed, and the directory is not synced',

  'checkpoint.begun': 'the state is frozen, and nothing of it is written',
  'checkpoint.sliceMade': 'the writing rests between two slices',
  'checkpoint.aheadWritten': 'values are durable that no cut names',
  'checkpoint.indexUnwritten': 'all that names the values is in the batch of the cut, not written',
  'checkpoint.cutWritten': 'the cut is durable, and neither its files’ names nor its seal are',
  'checkpoint.unsealed': 'the cut and its files’ names are durable, and the seal is the old one',
  'checkpoint.sealed': 'the seal promises the cut, and nobody goes by it',
  'checkpoint.shown': 'the cut is in force, and what it holds is still in memory',
  'checkpoint.hotTailDropped': 'what the cut holds may leave memory',
  'checkpoint.logKept': 'a cut lets the log go, and nothing of it is gone',
  'checkpoint.aheadUndone': 'a start took values back that no cut names',

  'snapshot.offered': 'a snapshot is pinned and offered to a peer',
  'snapshot.chunkSent': 'a chunk that is not the last was given to the link',
  'snapshot.lastChunkSent': 'the last chunk was given to the link',
  'snapshot.installBegun': 'an empty store stands beside the one in force',
  'snapshot.firstChunkTaken': 'the first chunk is in the new store, and the sender was not told',
  'snapshot.chunkTaken': 'a later chunk is in the new store, and the sender was not told',
  'snapshot.verified': 'the whole is verified beside the state in force, and nobody knows',
  'snapshot.pointerWritten': 'the new store is in force on disk, the old state in memory',
  'snapshot.activated': 'the snapshot took the state over, and the log does not know',
  'snapshot.noted': 'the log notes the snapshot, and the leader was not told',
  'snapshot.installFinished': 'a start noted a snapshot that an earlier life took over',

  'transport.linkOpened': 'a peer took the connection, and was told nothing on it',
  'transport.helloSent': 'the introduction left, and was not answered',
  'transport.peerIntroduced': 'a peer introduced itself, and was not answered',
  'transport.halfFrame': 'half of a frame is written',
  'transport.frameReceived': 'a frame of a peer was read, and nothing was done with it',
  'transport.linkLost': 'a connection ended, and nobody was told',
  'transport.reconnecting': 'a peer is about to be dialled again',

  'membership.formationUnwritten': 'the first record is known, and nothing of it is written',
  'membership.formationHalfWritten': 'half of the first record is written, not synced',
  'membership.formationWritten': 'the first record is durable, and nobody was told',
  'membership.formationOffered': 'the first record was offered to one of the others',
  'membership.formationComplete': 'every member wrote the first record, and none campaigns yet',
  'membership.configurationProposed': 'a configuration is in force in memory, and nowhere else',
  'membership.configurationAppended': 'a configuration is durable here, and nobody was told',
  'membership.configurationCommitted': 'a configuration is committed, and not applied',
  'membership.configurationApplied': 'a configuration is applied',
  'membership.learnerPromoted':
    'a configuration makes a learner a voter, and links are the old ones',
  'membership.memberRemoved': 'a configuration removes a voter, and links are the old ones',

  'boot.labelWritten': 'the data directory bears its node’s name, and nothing else is in it',
  'boot.logOpened': 'the log is open, the store is not',
  'boot.storeOpened': 'log and store are open, the state is not loaded',

  'gateway.helloAccepted': 'a session is registered, and its client was not greeted',
  'gateway.frameReceived': 'a write came from a client, and was handed to nobody',
  'gateway.forwarded': 'a write was sent to the leader',
  'gateway.forwardReceived': 'writes of a peer came to the leader, and are not proposed',
  'gateway.proposalTaken': 'a write is in line for the next entry, and in no log',
  'gateway.resultKnown': 'a write of this node is applied, and its answer is not queued',
  'gateway.pushQueued': 'an event is queued for the sessions of its members',
  'gateway.halfAnswer': 'half of a message with answers is written',
  'gateway.halfPush': 'half of a message with pushes is written',
  'gateway.goawaySent': 'a client was told to leave',
} as const

export type FailpointName = keyof typeof FAILPOINTS

export const NO_FAILPOINTS: Failpoints = { hit: () => {}, armed: () => false }
