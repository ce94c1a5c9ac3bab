/** The door of this package: what a node needs to run a replicated log. */
export { asBuffer } from './as-buffer.ts'
export { assert, assertSafeInteger, AssertionError, unreachable } from './assert.ts'
export {
  counterCells,
  COUNT_BUCKETS,
  CounterCell,
  DURATION_BUCKETS_S,
  HistogramCell,
} from './cells.ts'
export type { ClusterMetrics } from './cluster-metrics.ts'
export { ClusterNode, type ClusterNodeEvents, type ClusterNodeParts } from './cluster-node.ts'
export { FAILPOINTS, type FailpointName, type Failpoints, NO_FAILPOINTS } from './failpoints.ts'
export { isNoRoom } from './log/no-room.ts'
export { type Formation, LogDamagedError, type LogStorage } from './log/log-storage.ts'
export { inspectLog, type InspectedLog } from './log/inspect-log.ts'
export { LogFormatError } from './log/log-format-error.ts'
export { SegmentLog } from './log/segment-log.ts'
export { array, hex, integer, object, oneOf, readJson, type Shape, text } from './json-shape.ts'
export type { Logger } from './logger.ts'
export type { MemberChange, MemberChangeRefusal } from './membership/member-change.ts'
export type { InitialMember } from './membership/formation.ts'
export type {
  Address,
  Clock,
  Connection,
  DiskSpace,
  File,
  FileSystem,
  Listener,
  Network,
  Random,
  Timer,
} from './ports.ts'
export {
  allMembers,
  type Configuration,
  configurationShape,
  decodeConfiguration,
  encodeConfiguration,
  findMember,
  type Member,
} from './raft/configuration.ts'
export type { PeerStatus, RaftStatus } from './raft/ready.ts'
export {
  type Entry,
  EntryType,
  type LogReader,
  NO_ONE,
  type RaftId,
  Role,
  type SnapshotMeta,
} from './raft/types.ts'
export { ReadUnavailableError } from './read-queue.ts'
export { Replica } from './replica.ts'
export { DEFAULT_REPLICA_OPTIONS, type ReplicaOptions } from './replica-options.ts'
export type { SnapshotSink, SnapshotSource, StateMachine } from './state-machine.ts'
export type { ForeignCaller } from './transport/foreign-callers.ts'
export type { FrameHandler } from './transport/frame-intake.ts'
export { PeerFrameKind, PeerProtocolError } from './transport/peer-frame.ts'
export { type Features, featuresOf, PEER_PROTOCOL, type PeerHello } from './transport/peer-hello.ts'
export { encodePeerFrame, PeerFrameWriter } from './transport/peer-frame-writer.ts'
