import { type Command } from 'commander'
import { adminCall } from '../cluster/admin-call.ts'
import { urlOption } from '../cluster/find-urls.ts'
import { adminCallOf, type OperatorFlags } from '../cluster/operator-flags.ts'
import { durationOption } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { print, printJson, table } from '../output.ts'
import { tokenFileOption } from '../token-file.ts'

interface SettingsFlags extends OperatorFlags {
  readonly json?: boolean
}

interface Setting {
  readonly name: string
  readonly value: number
  readonly preset: number
  readonly least: number
  readonly most: number
  readonly about: string
}

const HELP = `
Examples:
  parley settings
  parley settings windowMs=172800000 groupMembers=500

Every node decides by the same settings, from the same place in the log on.`

export function configure(command: Command): void {
  command
    .argument('[changes...]', 'name=value, as many as you like; none shows what there is')
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--timeout', 'how long a node may take to answer', '10s'))
    .option('--json', 'one JSON document')
    .addHelpText('after', HELP)
    .action(run)
}

async function run(changes: readonly string[], flags: SettingsFlags): Promise<void> {
  const body = changes.length === 0 ? {} : { body: Object.fromEntries(changes.map(parseChange)) }
  const { settings } = (await adminCall('/v1/cluster/settings', {
    ...adminCallOf(flags),
    ...body,
  })) as { settings: Setting[] }
  if (flags.json === true) {
    printJson(Object.fromEntries(settings.map(({ name, value }) => [name, value])))
    return
  }
  const rows = settings.map(({ name, value, preset, least, most, about }) => {
    return [name, String(value), String(preset), `${least} to ${most}`, about]
  })
  print(table(['NAME', 'VALUE', 'DEFAULT', 'BOUNDS', 'ABOUT'], rows))
}

function parseChange(text: string): [string, number] {
  const match = /^(\w+)=(-?\d+)$/.exec(text)
  const value = Number(match?.[2])
  if (match !== null && Number.isSafeInteger(value)) return [match[1]!, value]
  throw new CliError(ExitCode.usage, `"${text}" is no change: write name=value, the value a number`)
}
