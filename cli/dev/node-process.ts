import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, fstatSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import type { DevNode } from './layout.ts'

export type ProcessState = 'down' | 'running' | 'paused'

export interface ProcessEnd {
  readonly pid: number
  readonly code: number | null
  readonly signal: string | null
  /** Whether someone asked for it, by a command or by stopping the cluster. */
  readonly expected: boolean
}

const LOG_LIMIT_BYTES = 16 * 1024 * 1024

/**
 * One node as a real process. It runs in a process group of its own, so that a Ctrl-C in the
 * terminal reaches only the supervisor, and holds an IPC channel to it: when the supervisor dies,
 * however it dies, the channel closes and the node drains.
 */
export class NodeProcess {
  readonly node: DevNode
  readonly #command: readonly string[]
  readonly #onEnd: (end: ProcessEnd) => void
  readonly #environment: NodeJS.ProcessEnv
  #child: ChildProcess | null = null
  #ended: Promise<void> = Promise.resolve()
  #paused = false
  #expected = false
  /** Where in the log the present run begins. */
  #logStart = 0

  constructor(
    node: DevNode,
    command: readonly string[],
    onEnd: (end: ProcessEnd) => void,
    environment = process.env,
  ) {
    this.#environment = environment
    this.node = node
    this.#command = command
    this.#onEnd = onEnd
  }

  get state(): ProcessState {
    if (this.#child === null) return 'down'
    return this.#paused ? 'paused' : 'running'
  }

  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  start(): void {
    if (this.#child !== null) throw new Error(`${this.node.name} is already running`)
    const [program = '', ...args] = this.#command
    rotate(this.node.logFile)
    const log = openSync(this.node.logFile, 'a')
    this.#logStart = fstatSync(log).size
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
      env: { MALLOC_ARENA_MAX: '2', ...this.#environment },
    })
    closeSync(log)
    // The channel is there for its end: alone it must not keep the supervisor running.
    child.channel?.unref()
    this.#child = child
    this.#paused = false
    this.#expected = false
    this.#ended = new Promise((resolve) => {
      const finish = (code: number | null, signal: string | null) => {
        if (this.#child !== child) return
        this.#child = null
        this.#paused = false
        this.#onEnd({ pid: child.pid ?? 0, code, signal, expected: this.#expected })
        resolve()
      }
      child.once('exit', finish)
      child.once('error', () => finish(null, null))
    })
  }

  /** SIGKILL: the process gets no chance to do anything. Resolves when it has gone. */
  async kill(): Promise<void> {
    this.#expected = true
    this.#child?.kill('SIGKILL')
    await this.#ended
  }

  /** SIGTERM: the node drains. SIGKILL if it is still there after `graceMs`; then `true`. */
  async stop(graceMs: number): Promise<boolean> {
    this.#expected = true
    this.resume()
    this.#child?.kill('SIGTERM')
    let forced = false
    const timer = setTimeout(() => {
      forced = true
      this.#child?.kill('SIGKILL')
    }, graceMs)
    await this.#ended
    clearTimeout(timer)
    return forced
  }

  /** SIGSTOP: it keeps its sockets and does nothing, like a process that waits for a dead disk. */
  pause(): void {
    if (this.#child?.kill('SIGSTOP') === true) this.#paused = true
  }

  resume(): void {
    if (this.#paused) this.#child?.kill('SIGCONT')
    this.#paused = false
  }

  /** The last lines it printed since it was started. */
  tail(lines: number): string[] {
    try {
      const log = readFileSync(this.node.logFile).subarray(this.#logStart).toString('utf8')
      return log.trimEnd().split('\n').slice(-lines)
    } catch {
      return []
    }
  }
}

/** Keeps at most two files of about the limit. */
function rotate(path: string): void {
  try {
    if (statSync(path).size > LOG_LIMIT_BYTES) renameSync(path, `${path}.1`)
  } catch {
    // There is no log yet.
  }
}
