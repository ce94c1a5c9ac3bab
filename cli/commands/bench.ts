import { type Command, Option } from 'commander'
import { parsePercent, parseRate, wholeNumber } from '../bench/number-arguments.ts'
import type { Kind } from '../bench/bench-report.ts'
import type { BenchFlags } from '../bench/run-bench.ts'
import { urlOption } from '../cluster/find-urls.ts'
import { durationOption } from '../duration.ts'
import { tokenFileOption } from '../token-file.ts'

const HELP = `
Examples:
  parley bench send --nodes 3                         a cluster of its own, 500 messages per second
  parley bench send --rate 2000 --duration 1m --json >before.json
  parley bench send --rate 2000 --duration 1m --baseline before.json
  parley bench deliver --in-flight 100                closed loop: always 100 without an answer
  parley bench send --find-max --p99 100ms            the most that is kept up
  parley bench peers                                  beside etcd, NATS and RabbitMQ, in a clone

At a rate, a message's time begins when it was meant to be sent, so that what waits for a slow cluster
counts. Percentiles are within 0.1 %. Afterwards everything that was acknowledged is read back. Its
messages stay: all its users are named with one prefix, for parley user erase. Ctrl-C ends it with what
was measured. A cluster that is not of parley dev, nor of its own, takes --yes.

Exit code 1: worse than the baseline, or nothing succeeded. 3: something acknowledged is missing, doubled
or out of order. 4: nothing is proven.`

const KINDS: Readonly<Record<Kind, string>> = {
  send: 'from a message’s start until a majority has it on disk',
  deliver: 'from a message’s start until the application of who it is for has it',
  sync: 'from a device’s coming back until it has all that waited for its user',
}

export function configure(command: Command): void {
  command.addHelpText('after', HELP)
  command
    .command('peers')
    .summary('Parley beside etcd, NATS and RabbitMQ, as far as they are installed')
    .argument('[flags...]', 'of bench/peers.ts')
    .helpOption(false)
    .allowUnknownOption()
    .action(async (words: string[]) => {
      const { runPeers } = await import('../bench/run-peers.ts')
      await runPeers(words)
    })
  for (const [kind, summary] of Object.entries(KINDS) as [Kind, string][]) {
    const own = command
      .command(kind)
      .summary(summary)
      .description(`Load and latency: ${summary}.`)
      .addOption(urlOption())
      .addOption(tokenFileOption())
      .option('--service-token-file <file>', 'token of role service, where users need tokens')
      .addOption(
        new Option('--nodes <n>', 'start a cluster of its own, of so many nodes')
          .argParser(wholeNumber(1, 9))
          .conflicts('url'),
      )
      .option('--yes', 'also load a cluster that parley dev did not start')
      .addOption(
        new Option('--rate <n>', `begun per second, open loop (${kind === 'sync' ? 20 : 500})`)
          .argParser(parseRate)
          .conflicts('inFlight'),
      )
      .addOption(
        new Option('--in-flight <n>', 'instead: always so many without an answer').argParser(
          wholeNumber(1, 10_000),
        ),
      )
      .option('--clients <n>', 'sessions that send, users of their own', wholeNumber(1, 2_000), 20)
      .option('--conversations <n>', 'shared out among them', wholeNumber(1, 100_000), 100)
      .option('--body <bytes>', 'of a message', wholeNumber(1, 60_000), 256)
      .addOption(durationOption('--warmup', 'before anything is counted', '2s'))
      .addOption(durationOption('--duration', 'what is counted', '10s'))
      .option('--baseline <file>', 'compare with what --json printed before')
      .option('--tolerance <share>', 'how much worse than that is allowed', parsePercent, 0.25)
      .addOption(
        new Option('--find-max', 'look for the highest rate that is kept up').conflicts('inFlight'),
      )
      .addOption(durationOption('--p99', 'with --find-max: what p99 may be', '100ms'))
      .option('--json', 'one JSON document')
    if (kind === 'sync') {
      own.option('--backlog <n>', 'messages waiting for each user', wholeNumber(1, 100_000), 100)
    }
    own.action(async (flags: BenchFlags) => {
      const { runBench } = await import('../bench/run-bench.ts')
      await runBench(kind, flags)
    })
  }
}
