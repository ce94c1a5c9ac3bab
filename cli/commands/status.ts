import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, Option } from 'commander'
import { type ClusterStatus, judge } from '../cluster/cluster-status.ts'
import { collectViews } from '../cluster/collect-views.ts'
import { findUrls, urlOption } from '../cluster/find-urls.ts'
import { refuseIfRefused } from '../cluster/refuse-if-refused.ts'
import { statusText } from '../cluster/status-table.ts'
import { readBundle } from '../debug/bundle.ts'
import { answersOf } from '../doctor/capture.ts'
import { durationOption, longDuration } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { print, printJson } from '../output.ts'
import { tokenFileOption, tokenHeaders } from '../token-file.ts'

interface StatusFlags {
  readonly url?: string[]
  readonly json?: boolean
  readonly watch?: boolean
  readonly wait?: 'healthy' | 'available'
  readonly timeout: number
  readonly nodeTimeout: number
  readonly tokenFile?: string
  readonly bundle?: string
}

const WATCH_MS = 1_000
const WAIT_MS = 250
const HOME_AND_CLEAR = '\u001b[H\u001b[2J'

export function configure(command: Command): void {
  command
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--node-timeout', 'how long each node may take to answer', '1s'))
    .option('--watch', 'show it again every second, until Ctrl-C')
    .addOption(
      new Option('--wait <state>', 'wait for it: all is well, or writes go on').choices([
        'healthy',
        'available',
      ]),
    )
    .addOption(durationOption('--timeout', 'how long --wait waits', '1m'))
    .option('--bundle <file>', 'of what parley debug kept, instead of asking anybody')
    .option('--json', 'one JSON document; with --watch one a line')
    .addHelpText('after', '\nExit code 3 if any configured node is down or not ready.')
    .action(run)
}

async function run(flags: StatusFlags): Promise<void> {
  if (flags.bundle !== undefined) {
    const kept = judge(answersOf(await readBundle(flags.bundle)))
    show(kept, { ...flags, watch: false })
    if (kept.verdict !== 'healthy') throw new CliError(ExitCode.unhealthy)
    return
  }
  const urls = findUrls(flags.url)
  const deadlineMs = performance.now() + flags.timeout
  for (;;) {
    const options = { timeoutMs: flags.nodeTimeout, headers: tokenHeaders(flags.tokenFile) }
    const answers = await collectViews(urls, options)
    const status = judge(answers)
    refuseIfRefused(status, answers)
    const isReached = flags.wait !== undefined && hasReached(status, flags.wait)
    const isLate = flags.wait !== undefined && performance.now() >= deadlineMs
    const isLast = isReached || isLate || (flags.wait === undefined && flags.watch !== true)
    if (isLast || flags.watch === true) show(status, flags)
    if (isReached) return
    if (isLate) {
      throw new CliError(
        ExitCode.unhealthy,
        `not ${flags.wait} after ${longDuration(flags.timeout)}; parley doctor looks for the cause`,
      )
    }
    if (isLast) {
      if (status.verdict !== 'healthy') throw new CliError(ExitCode.unhealthy)
      return
    }
    await sleep(flags.watch === true ? WATCH_MS : WAIT_MS)
  }
}

const hasReached = ({ verdict }: ClusterStatus, wanted: 'healthy' | 'available'): boolean =>
  wanted === 'healthy' ? verdict === 'healthy' : verdict !== 'unavailable'

function show(status: ClusterStatus, { json, watch }: StatusFlags): void {
  if (json === true) {
    printJson({ schema: 1, ...status })
    return
  }
  const isScreen = watch === true && process.stdout.isTTY
  print(`${isScreen ? HOME_AND_CLEAR : ''}${statusText(status)}${watch === true ? '\n' : ''}`)
}
