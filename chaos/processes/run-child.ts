import { spawn } from 'node:child_process'
import { once } from 'node:events'

export interface ChildEnd<Line> {
  /** What it said before it ended. */
  readonly lines: Line[]
  /** It died by its own SIGKILL; else it ended well. */
  readonly killed: boolean
}

/**
 * One life of a child that takes its plan as its argument and says lines of JSON. Rejects with what
 * it wrote to its errors if it ended in another way.
 */
export async function runChild<Plan extends object, Line>(
  program: string,
  plan: Plan,
): Promise<ChildEnd<Line>> {
  const child = spawn(process.execPath, [program, JSON.stringify(plan)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [output, errors] = ['', '']
  child.stdout.on('data', (data: Buffer) => (output += data.toString()))
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()))
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  const killed = signal === 'SIGKILL'
  if (!killed && code !== 0) throw new Error(`exit ${code} ${signal}: ${errors}`)
  // A line that it died in is none.
  const lines = output.split('\n').filter((line) => line.endsWith('}'))
  return { lines: lines.map((line) => JSON.parse(line) as Line), killed }
}
