import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process'

/** A program that a test started, with all that it started in turn. */
export class StartedProgram {
  output = ''
  readonly #child: ChildProcess
  readonly #ended: Promise<void>

  constructor(program: string, words: readonly string[], options: SpawnOptions) {
    // A group of its own: `npx` stands between the test and the node.
    this.#child = spawn(program, words, {
      ...options,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    this.#ended = new Promise((resolve) => this.#child.once('close', () => resolve()))
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (data) => (this.output += String(data)))
    }
  }

  /** SIGKILL to all of them. Resolves when they have gone. */
  async end(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#child
    if (pid !== undefined && exitCode === null && signalCode === null) {
      try {
        process.kill(-pid, 'SIGKILL')
      } catch {
        // They went by themselves.
      }
    }
    await this.#ended
  }
}
