import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { DevEvent } from '../dev-events.ts'

const PARLEY = fileURLToPath(new URL('../../parley.mjs', import.meta.url))

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a `parley` command to its end. */
export function parley(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const child = spawn(process.execPath, [PARLEY, ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PARLEY_URL: '', ...env },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (data) => (stdout += String(data)))
  child.stderr.on('data', (data) => (stderr += String(data)))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/** A `parley dev --json` process and the events that it printed. */
export class DevProcess {
  readonly child: ChildProcess
  readonly events: DevEvent[] = []
  readonly ended: Promise<Outcome>
  #stderr = ''

  constructor(cwd: string, args: readonly string[] = []) {
    this.child = spawn(process.execPath, [PARLEY, 'dev', '--json', ...args], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    createInterface({ input: this.child.stdout! }).on('line', (line) =>
      this.events.push(JSON.parse(line) as DevEvent),
    )
    this.child.stderr!.on('data', (data) => (this.#stderr += String(data)))
    this.ended = new Promise((resolve) =>
      this.child.once('close', (code) => resolve({ code, stdout: '', stderr: this.#stderr })),
    )
  }

  /** The first event; rejects with what was said on stderr if the process ends before. */
  async ready(): Promise<Extract<DevEvent, { event: 'ready' }>> {
    const ended = this.ended.then(({ stderr }) => {
      throw new Error(`parley dev ended: ${stderr}`)
    })
    ended.catch(() => {})
    for (;;) {
      const [first] = this.events
      if (first?.event === 'ready') return first
      if (first !== undefined) throw new Error(`first event: ${first.event}`)
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 20))])
    }
  }

  async stop(): Promise<Outcome> {
    this.child.kill('SIGTERM')
    return this.ended
  }
}
