import type { Command } from 'commander'
import { drainLine, endDrain } from '../cluster/drain-node.ts'
import { urlOption } from '../cluster/find-urls.ts'
import { adminCallOf, type OperatorFlags } from '../cluster/operator-flags.ts'
import { durationOption } from '../duration.ts'
import { print, printJson } from '../output.ts'
import { tokenFileOption } from '../token-file.ts'

interface UndrainFlags extends OperatorFlags {
  readonly json?: boolean
}

export function configure(command: Command): void {
  command
    .argument('<node>', 'who is to take clients and leadership again')
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--timeout', 'how long it may take', '10s'))
    .option('--json', 'one JSON document')
    .addHelpText('after', '\nClients that went elsewhere stay there until they connect anew.')
    .action(run)
}

async function run(node: string, flags: UndrainFlags): Promise<void> {
  const answer = await endDrain(node, adminCallOf(flags))
  if (flags.json === true) printJson({ schema: 1, node, ...answer })
  else print(drainLine(node, answer))
}
