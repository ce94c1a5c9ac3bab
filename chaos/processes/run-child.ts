import { spawn } from 'node:child_process'
import { once } from 'node:events'

export interface ChildEnd<Line> {
  /** What it said before it ended. */
  readonly lines: Line[]
  /** It died by its own SIGKILL; else it ended well. */
  readonly killed: boolean
}

/**
 * One life of a child that takes its plan as its argument and says lines of JSON, each told to
 * `onLine` as it comes. Rejects with what it wrote to its errors if it ended in another way.
 */
export async function runChild<Plan extends object, Line>(
  program: string,
  plan: Plan,
  onLine: (line: Line) => void = () => {},
): Promise<ChildEnd<Line>> {
  const child = spawn(process.execPath, [program, JSON.stringify(plan)], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const lines: Line[] = []
  let [rest, errors] = ['', '']
  child.stdout!.on('data', (data: Buffer) => {
    const parts = (rest + data.toString()).split('\n')
    // A line that it died in is none.
    rest = parts.pop()!
    for (const part of parts) {
      const line = JSON.parse(part) as Line
      lines.push(line)
      onLine(line)
    }
  })
  child.stderr!.on('data', (data: Buffer) => (errors += data.toString()))
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  const killed = signal === 'SIGKILL'
  if (!killed && code !== 0) throw new Error(`exit ${code} ${signal}: ${errors}`)
  return { lines, killed }
}

/** In the child: it does not outlive who runs it, however that one ends. */
export function endWithParent(): void {
  process.once('disconnect', () => process.exit(1))
  process.channel?.unref()
}
