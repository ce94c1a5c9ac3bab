import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { RunReport } from '../search/run-report.ts'

export interface Violation {
  readonly property: string
  readonly message: string
  readonly seed: number
}

/** What `parley sim` said when it was let loose on a program. */
export interface Hunt {
  /** The first one. */
  readonly violation: Violation | null
  readonly runs: number
  /** Of the processor, by the runs. */
  readonly cpuMs: number
}

/** What a run counts whose process did not live to tell. */
const DIED_MS = 1_000
/** A run that takes so long hangs: longer than the simulator itself waits for one. */
const PATIENCE_MS = 15 * 60_000

/** Runs the simulator that stands in `tree` as anybody would: one process, until it finds something. */
export async function hunt(tree: string, seed: number, flags: readonly string[]): Promise<Hunt> {
  const args = ['cli/main.ts', 'sim', '--seed', String(seed), ...flags, '--json']
  const child = spawn(process.execPath, args, { cwd: tree, stdio: ['ignore', 'pipe', 'pipe'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text))
  let violation: Violation | null = null
  let runs = 0
  let cpuMs = 0
  for await (const line of createInterface({ input: child.stdout })) {
    const told = JSON.parse(line) as { event: string } & RunReport
    if (told.event !== 'run') continue
    timer.refresh()
    runs += 1
    cpuMs += told.stats?.cpuMs ?? DIED_MS
    if (told.violation !== null) violation ??= { ...told.violation, seed: Number(told.seed) }
  }
  clearTimeout(timer)
  if (runs === 0) throw new Error(`the simulator did not run: ${complaint}`)
  return { violation, runs, cpuMs }
}
