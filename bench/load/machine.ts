import { execFileSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'

/** The machine, Node and the commit, as they stand above every figure; `+` is a changed tree. */
export function describeMachine(): string {
  const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim()
  const commit = git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') ? '+' : '')
  const [cpu] = cpus()
  return `${cpus().length} × ${cpu?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}, commit ${commit}`
}
