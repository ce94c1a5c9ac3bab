import type { Configuration, RaftStatus } from '#cluster'
import type { Message } from '../../../cluster/raft/messages.ts'
import type { DurableLog, SyncedBatch } from './durable-log.ts'

/** A replica as the world sees it: whose it is, and what its disk is known to hold. */
export interface ObservedReplica {
  /** The node's. */
  readonly name: string
  readonly disk: DurableLog
  /** Ids of those whose acknowledgements count, as the replica has them now. */
  readonly voters: readonly string[]
  /** In force for the replica now, `null` while it is not up. */
  readonly configuration: Configuration | null
  /** The highest feature level that the node can do, in this life. */
  readonly mostLevel: number
}

/** One property of the protocol, judged while it runs. Each method throws `PropertyViolation`. */
export interface RaftChecker {
  /** After an event of a node's process that changed what its replica says of itself. */
  onStatus?(replica: ObservedReplica, status: RaftStatus): void
  /** As the bytes of a message leave the process. */
  onMessage?(replica: ObservedReplica, message: Message): void
  /** As a batch of the log is synced. */
  onBatch?(replica: ObservedReplica, synced: SyncedBatch): void
  /** A node finished starting over the disk of an earlier life. */
  onStarted?(replica: ObservedReplica, status: RaftStatus): void
  /** The state after applying `index`. */
  onApplied?(replica: ObservedReplica, index: number, hash: string): void
}

/** A promise of the product that was seen broken. */
export class PropertyViolation extends Error {
  override readonly name = 'PropertyViolation'
  readonly property: string

  constructor(property: string, message: string) {
    super(`${property}: ${message}`)
    this.property = property
  }
}

export function demand(condition: boolean, property: string, message: () => string): void {
  if (!condition) violate(property, message())
}

/** Where `demand` would make a closure for every entry or message: it is called only when it is so. */
export function violate(property: string, message: string): never {
  throw new PropertyViolation(property, message)
}
