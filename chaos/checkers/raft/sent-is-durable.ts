import { type Configuration, EntryType } from '#cluster'
import { forEachCommand } from '../../../node/state-machine/batch-codec.ts'
import type { SyncedBatch } from './durable-log.ts'
import { demand, type ObservedReplica, type RaftChecker } from './raft-checker.ts'

interface Copy {
  readonly index: number
  readonly term: number
  /** Ids of the replicas that synced it. */
  readonly holders: Set<string>
  /** Which sync, counted over all disks, made a majority of some configuration in force. */
  durableAt: number
}

/**
 * R18: "sent" leaves a node only after a majority has synced the message: judged by the bytes of the
 * log on each disk, the configurations that the replicas go by, and the moment at which the answer
 * left the process.
 */
export class SentIsDurable implements RaftChecker {
  readonly #copies = new Map<string, Copy[]>()
  readonly #entries = new Map<number, Copy[]>()
  /** Not durable yet: a few, or what was replaced before it was. */
  readonly #pending = new Set<Copy>()
  readonly #inForce = new Map<string, { configuration: Configuration; voters: readonly string[] }>()
  #syncs = 0
  /** Answers judged. */
  judged = 0

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
      let copies = this.#entries.get(index)
      if (copies === undefined) this.#entries.set(index, (copies = []))
      let copy = copies.find((one) => one.term === term)
      if (copy === undefined) {
        copy = { index, term, holders: new Set(), durableAt: Infinity }
        copies.push(copy)
        this.#pending.add(copy)
        this.#name(data, copy)
      }
      copy.holders.add(disk.raftId)
      if (copy.durableAt === Infinity) this.#settle(copy)
    }
  }

  /** An acceptance that left its node when `now` was `left`. */
  onSent(node: string, write: { user: string; msgId: string }, left: number): void {
    this.judged += 1
    const copies = this.#copies.get(`${write.user} ${write.msgId}`) ?? []
    demand(
      copies.some(({ durableAt }) => durableAt <= left),
      'R18',
      () =>
        `${node} says that ${write.msgId} of ${write.user} is sent; on disk ${copies.map(textOf).join(', ') || 'nowhere'}; it said so after sync ${left}`,
    )
  }

  #settle(copy: Copy): void {
    for (const { voters } of this.#inForce.values()) {
      if (voters.filter((id) => copy.holders.has(id)).length * 2 <= voters.length) continue
      copy.durableAt = this.#syncs
      this.#pending.delete(copy)
      return
    }
  }

  /** A user's msgIds are unique over all conversations (rule A1). */
  #name(data: Uint8Array, copy: Copy): void {
    forEachCommand(data, ({ user, msgId }) => {
      const key = `${user} ${msgId}`
      const copies = this.#copies.get(key)
      if (copies === undefined) this.#copies.set(key, [copy])
      else copies.push(copy)
    })
  }
}

function textOf({ index, term, holders, durableAt }: Copy): string {
  const since =
    durableAt === Infinity ? 'never by a majority' : `by a majority at sync ${durableAt}`
  return `as ${index} of term ${term} (${holders.size} replicas, ${since})`
}
