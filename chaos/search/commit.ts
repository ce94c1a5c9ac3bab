import { execFileSync } from 'node:child_process'

/** The commit that is checked out, in full, or `null` outside a clone. */
export function currentCommit(): string | null {
  return git('rev-parse', 'HEAD')
}

/** For people: the commit in short, and whether what runs is exactly that. */
export function describeCommit(): string {
  const commit = currentCommit()
  if (commit === null) return 'unknown'
  const changes = git('status', '--porcelain', '--untracked-files=no')
  return commit.slice(0, 10) + (changes === '' ? '' : '+changes')
}

/** Seeds that nobody chose, and everybody who has the commit can run again. */
export function seedOfCommit(commit: string): number {
  return Number.parseInt(commit.slice(0, 8), 16)
}

function git(...args: string[]): string | null {
  try {
    const options = { cwd: import.meta.dirname, encoding: 'utf8', stdio: 'pipe' } as const
    return execFileSync('git', args, options).trim()
  } catch {
    return null
  }
}
