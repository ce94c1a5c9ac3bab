/** One node of a cluster of a test. */
export interface TestNode {
  /** `n1`, `n2`, … */
  readonly name: string
  /** Where clients reach it from this machine; the same after every restart. */
  readonly url: string
}

/** What a test's token says beside its user. */
export interface TestTokenOptions {
  /** @default 'user' */
  readonly role?: 'user' | 'viewer' | 'service' | 'admin'
  /** Good for this device only. @default any */
  readonly device?: string
  /** @default 3,600,000: an hour */
  readonly ttlMs?: number
}

/**
 * A cluster that a test started and may break. Calls act one after the other, in the order they were
 * made. Disposing it ends every node and removes all data; `await using` does that by itself.
 */
export interface TestCluster extends AsyncDisposable {
  readonly nodes: readonly TestNode[]
  /** Of all nodes: for `ChatClient.connect`. */
  readonly urls: readonly string[]
  /** A token that every node of this cluster takes, and no other cluster. */
  tokenFor(user: string, options?: TestTokenOptions): Promise<string>
  /**
   * The name of the node that leads, once all nodes that are up agree on it.
   *
   * @throws Error after a minute, with what each node says
   */
  leader(): Promise<string>
  /**
   * Resolves when all nodes that are up are ready and follow one leader.
   *
   * @throws Error after a minute, with what each node says
   */
  ready(): Promise<void>
  /** SIGTERM: the node sends its clients away, hands leadership on, and ends within seconds. */
  stopNode(name: string): Promise<void>
  /** Starts a node that is down with the data it has, and waits until it answers. */
  startNode(name: string): Promise<void>
  /** SIGKILL: the node gets no chance to do anything. */
  killNode(name: string): Promise<void>
  /** The node keeps its sockets and does nothing, like a process that waits for a dead disk. */
  pauseNode(name: string): Promise<void>
  resumeNode(name: string): Promise<void>
  /** Stops the node that leads, starts it again and waits until all is ready; resolves with its name. */
  restartLeader(): Promise<string>
}
