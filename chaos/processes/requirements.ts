import { execFileSync } from 'node:child_process'

/** The last commit before nodes told each other what they can do. */
export const EARLIER_VERSION = '15a4b1a094a0fbbccfdfb79e309064673cc8aeca'

/** What a test may need that not every machine has, and how to tell that it is there. */
const PROBES = {
  root: () => process.getuid?.() === 0,
  /** An engine, compose, and what the image is built from. `.ci/engine` makes them where it can. */
  docker: () => {
    run('docker', 'image', 'inspect', 'node:24-bookworm-slim')
    const [command, ...words] = composeCommand()
    run(command, ...words, 'version')
  },
  /** File systems in a file: loop devices and ext4. */
  loop: () => {
    run('losetup', '--find')
    run('mkfs.ext4', '-V')
  },
  ptrace: () => run('strace', '-f', '-qq', '-o', '/dev/null', 'true'),
  cc: () => run('cc', '--version'),
  /** With `promtool`. */
  prometheus: () => {
    run('promtool', '--version')
    run('prometheus', '--version')
  },
  /** The commits before this one: a shallow clone lacks them. */
  history: () => run('git', '-C', import.meta.dirname, 'cat-file', '-e', EARLIER_VERSION),
  chromium: () => run('/usr/bin/chromium', '--version'),
} as const

export type Requirement = keyof typeof PROBES

/**
 * For `describe.skipIf(lacking('root', 'loop'))`: whether something is missing. Says in one line
 * what. What `PARLEY_REQUIRE` (names, separated by commas) lists must be there.
 *
 * @throws Error if what is missing is required: the file of the tests then fails
 */
export function lacking(...needed: readonly Requirement[]): boolean {
  const missing = needed.filter((name) => !isThere(name))
  if (missing.length === 0) return false
  const required = (process.env['PARLEY_REQUIRE'] ?? '').split(',')
  const vital = missing.filter((name) => required.includes(name))
  if (vital.length > 0) throw new Error(`required and missing here: ${vital.join(', ')}`)
  process.stderr.write(`skipped, missing here: ${missing.join(', ')}\n`)
  return true
}

/** Compose is a part of `docker` since its second version, before it was a program of its own. */
export function composeCommand(): [string, ...string[]] {
  try {
    run('docker', 'compose', 'version')
    return ['docker', 'compose']
  } catch {
    return ['docker-compose']
  }
}

function isThere(name: Requirement): boolean {
  try {
    return PROBES[name]() !== false
  } catch {
    return false
  }
}

function run(command: string, ...parameters: readonly string[]): void {
  execFileSync(command, parameters, { stdio: 'ignore', timeout: 10_000 })
}
