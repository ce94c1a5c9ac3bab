import { type Command, InvalidArgumentError } from 'commander'
import { durationOption, parseDuration } from '../duration.ts'
import type { SimFlags } from '../sim/run-sim.ts'

const HELP = `
Examples:
  parley sim --runs 100 --jobs 2           seeds 1 to 100, each a cluster that is broken and judged
  parley sim --time 5m --jobs 2 --shrink   for five minutes; what fails is made small and kept as a test
  parley sim --seed 247 --trace            one seed, event by event
  parley sim --seed commit --runs 300      seeds that follow from the commit that is checked out

A seed is the same run on every machine. Exit code 1: a violation. 4: nothing was proven, since no run
came to its end or nothing was acknowledged. Ctrl-C shows what was found so far.`

export function configure(command: Command): void {
  command
    .option('--seed <n>', 'the first seed; "commit" derives it from the commit', parseSeed, 1)
    .option('--runs <n>', 'seeds to run  (default: 1, or as many as --time allows)', parseCount)
    .option('--time <duration>', 'begin no further run after this long', parseDuration)
    .option('--jobs <n>', 'processes that run seeds', parseCount, 1)
    .addOption(durationOption('--length', 'simulated time of a run in which things break', '30s'))
    .option('--sparse', 'few operations and faults: more simulated hours')
    .option('--keep-going', 'do not stop at a violation')
    .option('--shrink', 'make the first violation small and write it to chaos/regressions/')
    .addOption(durationOption('--shrink-time', 'how long that may take', '2m'))
    .option('--trace [file]', 'everything that happens in one seed, to a file or stdout')
    .option('--record', 'add the totals to chaos/track-record.json')
    .option('--json', 'one JSON document per line: each run, violations, totals')
    .addHelpText('after', HELP)
    .action(async (flags: SimFlags) => {
      const { runSim } = await import('../sim/run-sim.ts')
      await runSim(flags)
    })
}

function parseSeed(text: string): number | 'commit' {
  return text === 'commit' ? text : wholeNumber(text, 0)
}

function parseCount(text: string): number {
  return wholeNumber(text, 1)
}

/** A run of nothing must not look like one without a violation. */
function wholeNumber(text: string, least: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value
  throw new InvalidArgumentError(`It must be an integer from ${least} on.`)
}
