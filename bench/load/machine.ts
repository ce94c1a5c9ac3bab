import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'

/** What a figure was measured with. */
export interface Machine {
  readonly cpus: number
  readonly model: string
  readonly memoryBytes: number
  readonly platform: string
  readonly node: string
  readonly parley: string
  /** `+` is a changed tree; `null` of a package. */
  readonly commit: string | null
}

const ROOT = new URL('../../', import.meta.url)

export function machine(): Machine {
  const path = new URL('package.json', ROOT)
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string }
  const all = cpus()
  return {
    cpus: all.length,
    model: all[0]?.model.trim() ?? 'unknown',
    memoryBytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    parley: version,
    commit: commit(),
  }
}

/** As it stands above every figure. */
export function describeMachine(here: Machine = machine()): string {
  const { cpus: count, model, memoryBytes, node, parley } = here
  const what = here.commit === null ? `Parley ${parley}` : `commit ${here.commit}`
  return `${count} × ${model}, ${Math.round(memoryBytes / 2 ** 30)} GiB, Node ${node}, ${what}`
}

function commit(): string | null {
  // A package may lie in the clone of something else.
  if (!existsSync(new URL('.git', ROOT))) return null
  const cwd = fileURLToPath(ROOT)
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd, encoding: 'utf8', stdio: 'pipe' }).trim()
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') ? '+' : '')
  } catch {
    return null
  }
}
