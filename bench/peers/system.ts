import type { LoadSpec } from '../load/load-spec.ts'

/** A product that can be measured. */
export interface SystemKind {
  readonly name: LoadSpec['target']
  /** What is missing and how to get it, or `null` when it can be started here. */
  missing(): string | null
  /** Starts three nodes with their data in the directory and waits until they take messages. */
  start(directory: string): Promise<System>
}

/** Three running nodes of one product. */
export interface System {
  readonly version: string
  /** When the bytes of an acknowledged message are synced to disk. */
  readonly fsync: string
  /** Of the node that leads, so that no system pays for a forwarding hop. */
  readonly url: string
  /** What a message is there, and what it goes through. */
  readonly shape: string
  /** The nodes' processes. */
  readonly pids: readonly number[]
  /**
   * Counts the messages that the system holds, waiting at most 20 s for `acknowledged` of them: some
   * systems count a little behind.
   */
  held(acknowledged: number): Promise<number>
  stop(): Promise<void>
}
