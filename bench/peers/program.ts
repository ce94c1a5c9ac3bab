import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, openSync, closeSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A server process that logs to a file and is stopped by its own id. */
export class Program {
  readonly #child: ChildProcess
  readonly #name: string
  readonly #log: string

  constructor(
    command: readonly string[],
    { directory, name, env }: { directory: string; name: string; env?: NodeJS.ProcessEnv },
  ) {
    this.#name = name
    this.#log = join(directory, `${name}.log`)
    const log = openSync(this.#log, 'a')
    this.#child = spawn(command[0]!, command.slice(1), {
      cwd: directory,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...env },
    })
    closeSync(log)
    running.add(this.#child)
    this.#child.once('exit', () => running.delete(this.#child))
  }

  get pid(): number {
    const { pid } = this.#child
    if (pid === undefined) throw new Error(`${this.#name} was not started`)
    return pid
  }

  /** Asks until the answer is not `null`; an error counts as no answer. */
  async until<T>(ask: () => Promise<T | null>, timeoutMs = 60_000): Promise<T> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const answer = await ask().catch(() => null)
      if (answer !== null) return answer
      if (this.#child.exitCode !== null || performance.now() > deadline) {
        throw new Error(
          `${this.#name} did not get ready (exit ${this.#child.exitCode}), see ${this.#log}`,
        )
      }
      await sleep(100)
    }
  }

  async stop(): Promise<void> {
    if (!running.has(this.#child)) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}

/** What would outlive this process if it ended early. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Where the program is, asked of these folders first and then of `PATH`. */
export function find(program: string, ...folders: readonly string[]): string | null {
  const path = (process.env['PATH'] ?? '').split(delimiter)
  const places = [...folders, ...path, '/usr/sbin', '/sbin']
  return places.map((folder) => join(folder, program)).find((file) => existsSync(file)) ?? null
}

/** The one line that says what to install. */
export function absent(program: string, debianPackage: string, ...folders: readonly string[]) {
  if (find(program, ...folders) !== null) return null
  return `no ${program} here: apt-get install ${debianPackage}`
}

export function outputOf(program: string, ...parameters: readonly string[]): string {
  return execFileSync(program, parameters, { encoding: 'utf8', timeout: 60_000 }).trim()
}

/** Counts again until there are `least`, at most 20 s; gives the last count. */
export async function countUntil(least: number, count: () => Promise<number>): Promise<number> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const held = await count()
    if (held >= least || performance.now() > deadline) return held
    await sleep(200)
  }
}
