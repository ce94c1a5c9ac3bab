/** A message that has no final answer yet, as it survives the client that made it. */
export interface StoredMessage {
  readonly msgId: string
  /** Exactly one of `conv` and `to` is given. */
  readonly conv: string | null
  readonly to: string | null
  /** The body's msgpack bytes: resent as they are, never encoded again (rule A2). */
  readonly body: Uint8Array
  readonly replyTo: number | null
  readonly large: boolean
  /** `null` until it was first put on a socket (rule A3). */
  readonly since: number | null
}

/**
 * Keeps unsettled messages. A message is put before it is first sent; one that is returned by
 * `load` is sent again under the same msgId, so that it is stored once however often that happens.
 */
export interface ClientStore {
  /** In the order of their first `put`. */
  load(): Promise<readonly StoredMessage[]>
  /** Adds or replaces. What it returns is awaited before the message is sent. */
  put(message: StoredMessage): Promise<void> | undefined
  remove(msgId: string): void
}

/** Keeps them in memory: they survive a closed client that hands its store on, not the process. */
export class MemoryStore implements ClientStore {
  readonly #messages = new Map<string, StoredMessage>()

  load(): Promise<readonly StoredMessage[]> {
    return Promise.resolve([...this.#messages.values()])
  }

  put(message: StoredMessage): undefined {
    this.#messages.set(message.msgId, message)
  }

  remove(msgId: string): void {
    this.#messages.delete(msgId)
  }
}
