import type { Command } from 'commander'
import { urlOption } from '../cluster/find-urls.ts'
import { adminCallOf, type OperatorFlags } from '../cluster/operator-flags.ts'
import { rollNodes } from '../cluster/roll-nodes.ts'
import { durationOption } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { note, print, printJson, table } from '../output.ts'
import { tokenFileOption } from '../token-file.ts'

interface RollFlags extends OperatorFlags {
  readonly nodes?: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

const HELP = `
Examples:
  parley roll -- ssh {node} sudo systemctl restart parley
  parley roll --nodes n2,n3 -- kubectl delete pod parley-{node}

{node} and {url} stand for the node at hand. For each: all are healthy → drain → command → back and
caught up. It stops at the first that fails, with the others untouched; whoever leads comes last.`

export function configure(command: Command): void {
  command
    .argument('<command...>', 'what restarts {node}, after --')
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--timeout', 'for a node to be drained, and to be back', '2m'))
    .option('--nodes <names>', 'only these, in this order, with commas')
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--json', 'one JSON document')
    .addHelpText('after', HELP)
    .action(run)
}

async function run(command: readonly string[], flags: RollFlags): Promise<void> {
  const only = flags.nodes === undefined ? null : flags.nodes.split(',').map((name) => name.trim())
  if (!command.some((word) => /\{(node|url)\}/.test(word))) {
    throw new CliError(
      ExitCode.usage,
      'the command must say which node: write {node} or {url} in it',
    )
  }
  const rolled = await rollNodes({
    ...adminCallOf(flags),
    command,
    only,
    dryRun: flags.dryRun === true,
    say: note,
  })
  if (flags.json === true) printJson({ schema: 1, dryRun: flags.dryRun === true, nodes: rolled })
  else if (flags.dryRun !== true) {
    const ms = (value: number) => `${value} ms`
    const rows = rolled.map(({ node, drainMs, commandMs, backMs }) => {
      return [node, ms(drainMs), ms(commandMs), ms(backMs)]
    })
    print(table(['NODE', 'DRAINED IN', 'COMMAND', 'BACK IN'], rows))
  }
}
