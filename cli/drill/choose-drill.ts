import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { Drill } from '../../chaos/drills/drill.ts'
import { DrillFileError, readDrill } from '../../chaos/drills/drill-file.ts'
import { DRILLS } from '../../chaos/drills/named-drills.ts'
import { CliError, ExitCode } from '../exit-codes.ts'

/**
 * The drill of that name, or the one in that file: what has a slash or ends in `.json` is a file.
 *
 * @throws CliError `usage` if there is none, or if the file is no drill
 */
export function chooseDrill(nameOrFile: string): { readonly name: string; readonly drill: Drill } {
  if (nameOrFile.includes('/') || nameOrFile.endsWith('.json')) {
    return { name: basename(nameOrFile, '.json'), drill: readFile(nameOrFile) }
  }
  const drill = Object.hasOwn(DRILLS, nameOrFile) ? DRILLS[nameOrFile] : undefined
  if (drill !== undefined) return { name: nameOrFile, drill }
  const known = Object.keys(DRILLS).join(', ')
  throw new CliError(
    ExitCode.usage,
    `there is no drill ${nameOrFile}: there are ${known}, or a file like ./steps.json`,
  )
}

/** @throws CliError if a step names a node that the cluster does not have */
export function requireMembers({ steps }: Drill, size: number): void {
  const missing = steps.find(({ node }) => /^n\d$/.test(node ?? '') && Number(node![1]) > size)
  if (missing === undefined) return
  throw new CliError(
    ExitCode.usage,
    `the drill names ${missing.node}, and the cluster has ${size} nodes: n1 to n${size}; take more with --nodes`,
  )
}

/** Whether its nodes have to reach each other through something that can be cut. */
export function isCutting({ steps }: Drill): boolean {
  return steps.some((step) => step.do === 'partition')
}

function readFile(path: string): Drill {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new CliError(ExitCode.usage, `cannot read ${path}: ${(error as Error).message}`)
  }
  try {
    return readDrill(text)
  } catch (error) {
    if (!(error instanceof DrillFileError)) throw error
    const help = 'parley drill run --help shows one'
    throw new CliError(
      ExitCode.usage,
      `${path} is no drill; ${help}:\n${error.faults.map((fault) => `  ${fault}`).join('\n')}`,
    )
  }
}
