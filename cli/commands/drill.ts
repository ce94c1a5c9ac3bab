import { type Command, InvalidArgumentError } from 'commander'
import { DRILLS } from '../../chaos/drills/named-drills.ts'
import type { DrillFlags } from '../drill/run-drill-command.ts'
import { durationOption } from '../duration.ts'
import { print, printJson, table } from '../output.ts'

const HELP = `
Examples:
  parley drill run kill-leader                      five times, about half a minute
  parley drill run pause-leader --rounds 20 --json  one JSON document at the end
  parley drill run kill-leader --metrics-port 7409  for Prometheus and the dashboard "Parley: chaos"
  parley drill run ./outage.json --rounds 1         your own steps, from a file

A file is a JSON document. What is done (do) is kill, stop, pause or partition, to the leader, a follower, half (of a
partition: the leader's half), or a name like n2; and start, resume or heal, of a name or of all that it fits. After
each step the drill waits until sends go on, if a majority is left, and then for hold:

  { "summary": "a leader that nobody hears, and two nodes killed one after the other",
    "nodes": 5,
    "steps": [
      { "do": "partition", "node": "leader", "oneWay": true, "hold": "2s" },
      { "do": "heal" },
      { "repeat": 2, "steps": [{ "do": "kill", "node": "follower" }] },
      { "do": "start" } ] }

It starts nodes of its own on free ports of this machine and touches no other cluster. Exit code 1:
something acknowledged was lost, doubled or reordered, or the drill could not be done; the data and the
logs are kept then. 4: nothing was proven. Ctrl-C ends it after the round that is under way.`

export function configure(command: Command): void {
  command
    .command('list')
    .summary('the drills that there are')
    .description('The drills that there are.')
    .option('--json', 'one JSON document')
    .action(({ json }: { json?: boolean }) => {
      const drills = Object.entries(DRILLS).map(([name, { summary }]) => ({ name, summary }))
      if (json === true) printJson({ schema: 1, drills })
      else
        print(
          table(
            ['NAME', 'DOES'],
            drills.map(({ name, summary }) => [name, summary]),
          ),
        )
    })
  command
    .command('run')
    .summary('do one of them')
    .description('Does one of them: parley drill list.')
    .argument('<name>', 'which, or a file with steps')
    .option('--rounds <n>', 'how often', countOf(1, 1_000), 5)
    .option(
      '--nodes <n>',
      'members of the cluster (default: what the drill asks for, or 3)',
      members,
    )
    .option('--senders <n>', 'devices that send all the while', countOf(1, 50), 10)
    .addOption(durationOption('--hold', 'how long what is broken stays so, once sends go on', '0s'))
    .option('--metrics-port <port>', 'serve its metrics on the loopback (0: a free one)', portOf)
    .addOption(
      durationOption('--linger', 'with --metrics-port: how long the verdict is served', '30s'),
    )
    .option('--json', 'one JSON document')
    .addHelpText('after', HELP)
    .action(async (name: string, flags: DrillFlags) => {
      const { runDrillCommand } = await import('../drill/run-drill-command.ts')
      await runDrillCommand(name, flags)
    })
}

function countOf(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= least && value <= most) return value
    throw new InvalidArgumentError(`It must be an integer from ${least} to ${most}.`)
  }
}

const portOf = countOf(0, 65_535)
const members = countOf(3, 9)
