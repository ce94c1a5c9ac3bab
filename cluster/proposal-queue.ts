import type { ReplicaOptions } from './replica-options.ts'

/** Commands on their way into the next entries, in order, bounded by bytes. */
export class ProposalQueue {
  readonly #maxBatchBytes: number
  readonly #maxPendingBytes: number
  #commands: Uint8Array[] = []
  #next = 0
  #bytes = 0

  constructor(options: ReplicaOptions) {
    this.#maxBatchBytes = options.maxBatchBytes
    this.#maxPendingBytes = options.maxPendingBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** False: full, not taken. */
  push(command: Uint8Array): boolean {
    if (this.#bytes + command.length > this.#maxPendingBytes) return false
    this.#bytes += command.length
    this.#commands.push(command)
    return true
  }

  /** As many as fit into one entry, at least one; `null` if none wait. */
  take(): readonly Uint8Array[] | null {
    if (this.#next === this.#commands.length) return null
    const from = this.#next
    let bytes = 0
    do {
      bytes += this.#commands[this.#next]!.length
      this.#next += 1
    } while (
      this.#next < this.#commands.length &&
      bytes + this.#commands[this.#next]!.length <= this.#maxBatchBytes
    )
    const commands = this.#commands.slice(from, this.#next)
    this.#bytes -= bytes
    if (this.#next === this.#commands.length) {
      this.#commands = []
      this.#next = 0
    }
    return commands
  }

  putBack(commands: readonly Uint8Array[]): void {
    this.#commands = [...commands, ...this.#commands.slice(this.#next)]
    this.#next = 0
    for (const command of commands) this.#bytes += command.length
  }

  clear(): void {
    this.#commands = []
    this.#next = 0
    this.#bytes = 0
  }
}
