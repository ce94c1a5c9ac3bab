import { isDeepStrictEqual } from 'node:util'
import type { RereadOptions } from '#node'
import { declarationOf, NODE_OPTION_NAMES, type NodeOptionValues } from './node-options.ts'
import { type Config, type ConfigSources, readConfig } from './read-config.ts'
import { serverOptions } from './server-options.ts'

/**
 * Reads the sources again and says what differs from what is in force: options that may change while
 * the node runs come with their new values, the others with those of the start.
 */
export function rereadOptions(config: Config, sources: ConfigSources): RereadOptions {
  let inForce: NodeOptionValues = config.values
  return async () => {
    const read = await readConfig(sources)
    if ('faults' in read) return read
    const { values } = read.config
    const different = NODE_OPTION_NAMES.filter(
      (name) => !isDeepStrictEqual(values[name], inForce[name]),
    )
    const changed = different.filter((name) => declarationOf(name).reload === true)
    const next = { ...inForce, ...Object.fromEntries(changed.map((name) => [name, values[name]])) }
    return {
      options: serverOptions(next),
      changed,
      needRestart: different.filter((name) => !changed.includes(name)),
      accept: () => (inForce = next),
    }
  }
}
