import { EntryType } from '#cluster'
import { forEachCommand } from '../../../node/state-machine/batch-codec.ts'
import type { SyncedBatch } from './durable-log.ts'
import { demand, type ObservedReplica, type RaftChecker } from './raft-checker.ts'

interface Copy {
  readonly index: number
  readonly term: number
  /** Which sync, counted over all disks, brought it to each replica. */
  readonly syncs: Map<string, number>
}

/**
 * R18: "sent" leaves a node only after a majority has synced the message: judged by the bytes of the
 * log on each disk and by the moment at which the answer left the process.
 */
export class SentIsDurable implements RaftChecker {
  readonly #majority: number
  readonly #copies = new Map<string, Copy[]>()
  readonly #entries = new Map<number, Copy[]>()
  #syncs = 0
  /** Answers judged. */
  judged = 0

  /** `nodes` is how many there are: one that replaces another makes no new majority. */
  constructor(nodes: number) {
    this.#majority = Math.floor(nodes / 2) + 1
  }

  /** Counts syncs: what left at this moment must rest on those before it. */
  get now(): number {
    return this.#syncs
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
        copy = { index, term, syncs: new Map() }
        copies.push(copy)
        this.#name(data, copy)
      }
      if (!copy.syncs.has(disk.raftId)) copy.syncs.set(disk.raftId, this.#syncs)
    }
  }

  /** An acceptance that left its node when `now` was `left`. */
  onSent(node: string, write: { user: string; msgId: string }, left: number): void {
    this.judged += 1
    const copies = this.#copies.get(`${write.user} ${write.msgId}`) ?? []
    const held = copies.map(({ syncs }) => [...syncs.values()].filter((at) => at <= left).length)
    demand(
      held.some((count) => count >= this.#majority),
      'R18',
      () =>
        `${node} says that ${write.msgId} of ${write.user} is sent; on disk ${copies.map(({ index, term }, at) => `as ${index} of term ${term} on ${held[at]}`).join(', ') || 'nowhere'}, ${this.#majority} are needed`,
    )
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
