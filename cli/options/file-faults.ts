import { stat } from 'node:fs/promises'
import { declarationOf, NODE_OPTION_NAMES, type NodeOptionName } from './node-options.ts'
import type { Config } from './read-config.ts'

const WRITABLE_BY_OTHERS = 0o022
const READABLE_BY_ALL = 0o004

export interface FileFindings {
  readonly faults: readonly string[]
  /** What is dangerous and yet common: containers are given secrets that everybody in them may read. */
  readonly warnings: readonly string[]
}

/**
 * Looks at the files of secrets that the configuration names: whoever may write one decides who gets in,
 * so that is a fault; that whoever is on the machine may read it is a warning.
 */
export async function fileFindings({ values, origins }: Config): Promise<FileFindings> {
  const faults: string[] = []
  const warnings: string[] = []
  for (const name of NODE_OPTION_NAMES.filter((each) => declarationOf(each).isSecret === true)) {
    for (const path of pathsOf(name, values)) {
      const said = `${origins.get(name)} names ${path}`
      try {
        const file = await stat(path)
        const mode = (file.mode & 0o777).toString(8)
        if (!file.isFile()) faults.push(`${said}, which is no file`)
        else if ((file.mode & WRITABLE_BY_OTHERS) !== 0) {
          faults.push(`${said}, which others may write (mode ${mode}): chmod go-w ${path}`)
        } else if ((file.mode & READABLE_BY_ALL) !== 0) {
          warnings.push(`${said}, which everybody here may read (mode ${mode}): chmod o-r ${path}`)
        }
      } catch (error) {
        faults.push(`${said}, which cannot be read: ${(error as Error).message}`)
      }
    }
  }
  return { faults, warnings }
}

function pathsOf(name: NodeOptionName, values: Config['values']): readonly string[] {
  const value: unknown = values[name]
  if (value === undefined) return []
  return typeof value === 'string' ? [value] : (value as readonly string[])
}
