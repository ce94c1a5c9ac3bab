import type { Command } from 'commander'
import { beginDrain, drainLine, waitDrained } from '../cluster/drain-node.ts'
import { urlOption } from '../cluster/find-urls.ts'
import { adminCallOf, type OperatorFlags } from '../cluster/operator-flags.ts'
import { durationOption } from '../duration.ts'
import { note, print, printJson } from '../output.ts'
import { tokenFileOption } from '../token-file.ts'

interface DrainFlags extends OperatorFlags {
  readonly wait?: boolean
  readonly dryRun?: boolean
  readonly json?: boolean
}

const HELP = `
Leadership goes first, then the clients, each after its answers. The node stays a voter, and takes
nothing until "parley undrain" or its next start. Any node takes the call.`

export function configure(command: Command): void {
  command
    .argument('<node>', 'whose clients and leadership are to go')
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--timeout', 'how long it may take', '30s'))
    .option('--wait', 'until it is drained')
    .option('--dry-run', 'say who would take over, and do nothing')
    .option('--json', 'one JSON document')
    .addHelpText('after', HELP)
    .action(run)
}

async function run(node: string, flags: DrainFlags): Promise<void> {
  const call = adminCallOf(flags)
  let answer = await beginDrain(node, call, flags.dryRun === true)
  if (flags.dryRun !== true && flags.wait === true) {
    let last = ''
    answer = await waitDrained(node, call, (seen) => {
      const line = drainLine(node, seen)
      if (line !== last && seen.phase !== 'drained' && flags.json !== true) note(line)
      last = line
    })
  }
  if (flags.json === true) printJson({ schema: 1, node, ...answer })
  else if (flags.dryRun === true) {
    print(`${drainLine(node, answer)} · would go to ${answer.refuges.join(', ')}`)
  } else print(drainLine(node, answer))
}
