/**
 * What this code is given instead of reaching for it: time, randomness, files and sockets. The
 * real ones stand in `node/host/`, the simulated ones in `chaos/simulation/`. Nothing else in
 * `cluster/` or `node/` may touch `Date`, `Math.random`, timers, `node:fs` or `node:net`.
 */

export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Milliseconds since 1970 by the wall: for display only, may jump either way. */
  wallMs(): number
  /** Milliseconds since an arbitrary start, with fractions, never falling. */
  monotonicMs(): number
  /** Calls `run` once, not before `delayMs` has passed. */
  after(delayMs: number, run: () => void): Timer
  /** Calls `run` on a later turn of the event loop, after pending I/O was looked at. */
  defer(run: () => void): void
}

export interface Random {
  /** Uniform over 0 … 2^32-1. */
  uint32(): number
  /** Bytes fit for identifiers and secrets. */
  bytes(length: number): Uint8Array
}

export interface FileSystem {
  /** Creates the directory and its parents; an existing one is fine. */
  makeDirectory(path: string): Promise<void>
  /** Names (not paths) in ascending order; an absent directory has none. */
  list(path: string): Promise<string[]>
  exists(path: string): Promise<boolean>
  /** `create: 'new'` fails if it exists, `'if-missing'` opens or makes it, `'never'` fails if it is absent. */
  open(path: string, options: { create: 'new' | 'if-missing' | 'never' }): Promise<File>
  readFile(path: string): Promise<Uint8Array>
  /** Replaces `to`. Durable only after `syncDirectory`. */
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** Fails if anything is in it. */
  removeDirectory(path: string): Promise<void>
  /** After it returns, names made, renamed or removed in `path` survive a power cut. */
  syncDirectory(path: string): Promise<void>
  /** Of the volume that holds `path`; what is free is what a process without privileges may take. */
  space(path: string): Promise<DiskSpace>
  /**
   * Takes the directory for this process: the returned function gives it back, and the end of the
   * process does too. Fails with an error that names the holder if another process has it.
   */
  lock(path: string): Promise<() => Promise<void>>
}

/** Bytes of a volume. */
export interface DiskSpace {
  readonly freeBytes: number
  readonly sizeBytes: number
}

export interface File {
  size(): Promise<number>
  /** Reads up to `buffer.length` bytes at `position`; fewer only at the end of the file. */
  read(buffer: Uint8Array, position: number): Promise<number>
  /** Same, blocking: only for small reads (at most 1 MiB) that the pure core waits for. */
  readSync(buffer: Uint8Array, position: number): number
  /** Writes all of `buffer` at `position` or fails. Not durable before `sync`. */
  write(buffer: Uint8Array, position: number): Promise<void>
  truncate(length: number): Promise<void>
  /** fdatasync: after it returns, everything written before it survives a power cut. */
  sync(): Promise<void>
  /**
   * Writes all of `buffer` at `position`, then fdatasync. `done` is called once, perhaps before
   * this returns: the real port runs on the main thread while the disk is fast and in the thread
   * pool while it is slow. After an error the file's content is unknown; never retry.
   */
  writeAndSync(buffer: Uint8Array, position: number, done: (error: Error | null) => void): void
  close(): Promise<void>
}

/** `host:port`. */
export type Address = string

/** A byte stream to a peer. Bytes arrive whole and in order or not at all; the end is told once. */
export interface Connection {
  readonly remote: Address
  /** The only nodes that the other end proved it may be. @default the network proves no names */
  readonly names?: readonly string[]
  /** Bytes accepted by `write` and not yet taken by the operating system. */
  bufferedBytes(): number
  write(bytes: Uint8Array): void
  /** Ends it now, without waiting for what is buffered. `onClose` still follows. */
  destroy(): void
  /** Set by the owner before the next turn of the event loop. */
  onData: (bytes: Uint8Array) => void
  onClose: (error: Error | null) => void
}

export interface Listener {
  readonly address: Address
  close(): Promise<void>
}

export interface Network {
  /** Fails with a clear error if the address is taken. */
  listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener>
  /** Rejects if the peer does not answer within `timeoutMs`. */
  connect(address: Address, timeoutMs: number): Promise<Connection>
}
