// Which Node runs this program. Everything here must itself run on Node 20.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'

/** The oldest Node that runs TypeScript files as they are, without a flag or a warning. */
export const MINIMUM_NODE = '24.12.0'

/** Whether `version` (`24.12.0`, no `v`) can run the program. */
export function isRecentEnough(version = process.versions.node) {
  const have = version.split('.').map(Number)
  const need = MINIMUM_NODE.split('.').map(Number)
  for (let i = 0; i < need.length; i++) {
    if (have[i] !== need[i]) return have[i] > need[i]
  }
  return true
}

/** The Node that comes with the clone, from the npm package `node`. */
export function clonesNode(root) {
  return join(root, 'node_modules', 'node', 'bin', 'node')
}

/** The Node to run the program with, `null` if the clone has to supply one and does not yet. */
export function chooseNode(root) {
  if (isRecentEnough()) return process.execPath
  const node = clonesNode(root)
  return existsSync(node) ? node : null
}

/** Says in a sentence why the clone's Node does not run here, `null` if it does. */
export function whyNodeFails(node) {
  const { status, error, signal } = spawnSync(node, ['--version'], { stdio: 'ignore' })
  if (status === 0) return null
  const cause = error ? error.message : `it ended with ${signal ?? `exit code ${status}`}`
  return `Node ${MINIMUM_NODE} or newer is needed: this machine's is ${process.versions.node}, and the one that comes with the clone does not run here (${cause})`
}

/** `PATH` without the clone's own commands: for npm, which must not run on what it replaces. */
export function hostsPath(root, path = process.env.PATH ?? '') {
  const own = resolve(root, 'node_modules')
  return path
    .split(delimiter)
    .filter((entry) => !resolve(entry).startsWith(own))
    .join(delimiter)
}
