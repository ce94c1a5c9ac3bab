import { type Command, Argument } from 'commander'
import { adminCall } from '../cluster/admin-call.ts'
import { urlOption } from '../cluster/find-urls.ts'
import { adminCallOf, type OperatorFlags } from '../cluster/operator-flags.ts'
import { durationOption } from '../duration.ts'
import { note, print, printJson, table } from '../output.ts'
import { tokenFileOption } from '../token-file.ts'

interface UpgradeFlags extends OperatorFlags {
  readonly dryRun?: boolean
  readonly json?: boolean
}

interface Upgrade {
  readonly level: number
  readonly most: number
  readonly waitingFor: readonly string[]
  readonly members: readonly {
    readonly name: string
    readonly features: {
      readonly version: string
      readonly levels: { readonly min: number; readonly max: number }
    } | null
  }[]
}

const HELP = `
Nodes of two versions work together until the upgrade is finalized, and the older version can be
started again. "parley upgrade finalize" ends that: what is new works from then on, and no node of
the older version is let in. All members must be up.`

export function configure(command: Command): void {
  command
    .addArgument(new Argument('[action]', 'what to do').choices(['show', 'finalize']))
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--timeout', 'how long it may take', '15s'))
    .option('--dry-run', 'say whether it could be finalized, and do nothing')
    .option('--json', 'one JSON document')
    .addHelpText('after', HELP)
    .action(run)
}

async function run(action = 'show', flags: UpgradeFlags): Promise<void> {
  const dryRun = flags.dryRun === true
  const upgrade = (await adminCall('/v1/cluster/upgrade', {
    ...adminCallOf(flags),
    ...(action === 'finalize' ? { body: { dryRun } } : {}),
  })) as unknown as Upgrade
  if (flags.json === true) {
    printJson({ schema: 1, ...upgrade })
    return
  }
  const { level, most, waitingFor, members } = upgrade
  const isOpen = level < most
  print(`feature level ${level}${isOpen ? ` of ${most}: the upgrade is not finalized` : ''}`)
  print('')
  const rows = members.map(({ name, features }) =>
    features === null
      ? [name, '-', 'not reached']
      : [name, features.version || '-', `${features.levels.min} to ${features.levels.max}`],
  )
  print(table(['NAME', 'VERSION', 'LEVELS'], rows))
  for (const sentence of waitingFor) note(`waiting: ${sentence}`)
  if (isOpen && waitingFor.length === 0) note('ready: parley upgrade finalize')
}
