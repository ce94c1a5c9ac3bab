import { type Configuration, EntryType } from '#cluster'
import { forEachCommand } from '../../../node/state-machine/batch-codec.ts'
import type { CommandView } from '../../../node/state-machine/command-view.ts'
import type { EntryName, SyncedBatch } from './durable-log.ts'
import { demand, type ObservedReplica, type RaftChecker } from './raft-checker.ts'

interface Copy {
  readonly index: number
  readonly term: number
  /** Ids of the replicas that synced it, until they were a majority. */
  readonly holders: string[]
  /** Which sync, counted over all disks, made a majority of some configuration in force. */
  durableAt: number
  /** Of another term at its index. */
  readonly other: Copy | null
}

/**
 * R18: "sent" leaves a node only after a majority has synced the message: judged by the bytes of the
 * log on each disk, the configurations that the replicas go by, and the moment at which the answer
 * left the process.
 */
export class SentIsDurable implements RaftChecker {
  /** By user and msgId. */
  readonly #copies = new Map<string, Map<string, Copy[]>>()
  readonly #entries = new Map<number, Copy>()
  /** Not durable yet: a few, or what was replaced before it was. */
  readonly #pending = new Set<Copy>()
  readonly #inForce = new Map<string, { configuration: Configuration; voters: readonly string[] }>()
  /** Told of each command, where it first is on a disk. */
  readonly #onCommand: (view: CommandView, at: EntryName) => void
  #syncs = 0
  /** Answers judged. */
  judged = 0

  constructor(onCommand: (view: CommandView, at: EntryName) => void = () => {}) {
    this.#onCommand = onCommand
  }

  /** Counts syncs: what left at this moment must rest on those before it. */
  get now(): number {
    return this.#syncs
  }

  onStatus({ name, configuration }: ObservedReplica): void {
    if (configuration === null || this.#inForce.get(name)?.configuration === configuration) return
    const voters = configuration.voters.map(({ id }) => id)
    this.#inForce.set(name, { configuration, voters })
    for (const copy of this.#pending) this.#settle(copy)
  }

  onBatch({ disk }: ObservedReplica, { batch }: SyncedBatch): void {
    if (batch.entries.length === 0) return
    this.#syncs += 1
    for (const { index, term, type, data } of batch.entries) {
      if (type !== EntryType.normal || data.length === 0) continue
      const first = this.#entries.get(index) ?? null
      let copy = first
      while (copy !== null && copy.term !== term) copy = copy.other
      if (copy === null) {
        copy = { index, term, holders: [], durableAt: Infinity, other: first }
        this.#entries.set(index, copy)
        this.#pending.add(copy)
        this.#name(data, copy)
      }
      if (copy.durableAt < Infinity || copy.holders.includes(disk.raftId)) continue
      copy.holders.push(disk.raftId)
      this.#settle(copy)
    }
  }

  /** An acceptance that left its node when `now` was `left`. */
  onSent(node: string, write: { user: string; msgId: string }, left: number): void {
    this.judged += 1
    const copies = this.#copies.get(write.user)?.get(write.msgId) ?? []
    demand(
      copies.some(({ durableAt }) => durableAt <= left),
      'R18',
      () =>
        `${node} says that ${write.msgId} of ${write.user} is sent; on disk ${copies.map(textOf).join(', ') || 'nowhere'}; it said so after sync ${left}`,
    )
  }

  #settle(copy: Copy): void {
    for (const { voters } of this.#inForce.values()) {
      let held = 0
      for (const id of copy.holders) if (voters.includes(id)) held += 1
      if (held * 2 <= voters.length) continue
      copy.durableAt = this.#syncs
      copy.holders.length = 0
      this.#pending.delete(copy)
      return
    }
  }

  /** A user's msgIds are unique over all conversations (rule A1). */
  #name(data: Uint8Array, copy: Copy): void {
    forEachCommand(data, (view) => {
      const { user, msgId } = view
      this.#onCommand(view, copy)
      let ofUser = this.#copies.get(user)
      if (ofUser === undefined) this.#copies.set(user, (ofUser = new Map()))
      const copies = ofUser.get(msgId)
      if (copies === undefined) ofUser.set(msgId, [copy])
      else copies.push(copy)
    })
  }
}

function textOf({ index, term, holders, durableAt }: Copy): string {
  const since =
    durableAt === Infinity ? 'never by a majority' : `by a majority at sync ${durableAt}`
  const by = durableAt === Infinity ? `${holders.length} replicas, ` : ''
  return `as ${index} of term ${term} (${by}${since})`
}
