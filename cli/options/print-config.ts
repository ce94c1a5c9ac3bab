import { formatMembers } from '../cluster/initial-members.ts'
import { print, printJson, table } from '../output.ts'
import { declarationOf, NODE_OPTION_NAMES, type NodeOptionName } from './node-options.ts'
import type { Config } from './read-config.ts'
import { formatBytes, formatDuration } from './units.ts'

export interface PrintOptions {
  /** A table that says where each value came from. */
  readonly withOrigin: boolean
  readonly json: boolean
}

/**
 * The values that a node would run with, as a configuration file or a table. Of secrets only the
 * files are named, and of a URL nothing behind its `?`.
 */
export async function printConfig(
  config: Config,
  { withOrigin, json }: PrintOptions,
): Promise<void> {
  const options = NODE_OPTION_NAMES.flatMap((name) => {
    const value = written(name, config)
    return value === undefined ? [] : [{ name, value, origin: config.origins.get(name) ?? '' }]
  })
  if (json) printJson({ schema: 1, options })
  else if (withOrigin) {
    const rows = options.map(({ name, value, origin }) => [name, String(value), origin])
    print(table(['OPTION', 'VALUE', 'ORIGIN'], rows))
  } else {
    const { stringify } = await import('yaml')
    const values = Object.fromEntries(options.map(({ name, value }) => [name, value]))
    print(stringify(values, { lineWidth: 0 }).trimEnd())
  }
}

/** As a file would hold it. */
function written(name: NodeOptionName, { values }: Config): string | number | boolean | undefined {
  const value = values[name]
  if (value === undefined) return undefined
  switch (declarationOf(name).kind) {
    case 'members':
      return formatMembers(value as Parameters<typeof formatMembers>[0])
    case 'bytes':
      return formatBytes(value as number)
    case 'duration':
      return formatDuration(value as number)
    case 'url':
      return (value as string).replace(/\?.*$/s, '?…')
    case 'words':
    case 'paths':
    case 'origins':
    case 'networks':
    case 'peerNames':
      return (value as readonly string[]).join(',')
    case 'text':
    case 'flag':
    case 'choice':
    case 'address':
    case 'integer':
    case 'number':
    case 'path':
      return value as string | number | boolean
  }
}
