import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CONTROL_FILE } from './control-file.ts'

const NAME = '.parley'

/** Where `parley dev` keeps its data unless told otherwise. */
export function defaultDataDirectory(): string {
  return resolve(NAME)
}

/**
 * The data directory of the dev cluster that a command means: the given one, else the nearest one
 * of a running cluster in this directory or one above it, else that of the clone itself.
 */
export function findDataDirectory(given?: string): string {
  if (given !== undefined) return resolve(given)
  for (let at = process.cwd(); ; at = dirname(at)) {
    const candidate = join(at, NAME)
    if (existsSync(join(candidate, CONTROL_FILE))) return candidate
    if (dirname(at) === at) break
  }
  return join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), NAME)
}
