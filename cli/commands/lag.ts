import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { judge } from '../cluster/cluster-status.ts'
import { collectViews } from '../cluster/collect-views.ts'
import { findUrls, urlOption } from '../cluster/find-urls.ts'
import { refuseIfRefused } from '../cluster/refuse-if-refused.ts'
import { readBundle } from '../debug/bundle.ts'
import { answersOf } from '../doctor/capture.ts'
import { durationOption, parseDuration } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { lagText } from '../lag/lag-text.ts'
import { nodeLags, type NodeLag } from '../lag/node-lag.ts'
import { LAG_BY, type LagBy, type LagSurvey, surveyLag } from '../lag/survey-lag.ts'
import { note, print, printJson } from '../output.ts'
import { tokenFileOption, tokenHeaders } from '../token-file.ts'

interface LagFlags {
  readonly url?: string[]
  readonly tokenFile?: string
  readonly by: LagBy
  readonly top: number
  readonly seen?: number
  readonly watch?: boolean
  readonly timeout: number
  readonly nodeTimeout: number
  readonly bundle?: string
  readonly json?: boolean
}

const MOST_ROWS = 100
/** A survey that is younger is shown again as it is. */
const WATCH_MS = 2_000
/** More than a node takes for its answer. */
const CALL_MS = 30_000
const HOME_AND_CLEAR = '\u001b[H\u001b[2J'

const HELP = `
Examples:
  parley lag                                   nodes, and the twenty devices furthest behind
  parley lag --by conversation --top 5
  parley lag --by device --seen 24h --watch    only devices that were heard of in the last day

REPLICA LAG: entries that are committed and not on that node's disk. APPLY LAG: entries that it knows as
committed and has not applied. STATE AGE: how much older what it shows is than what the leader shows.
BEHIND: events that were not acknowledged, of all conversations of a user but large ones, which --by
conversation shows. All users are looked at, a bit at a time, by the node that is asked.

Exit code 3 if a node does not answer.`

export function configure(command: Command): void {
  command
    .addOption(
      new Option('--by <what>', 'what is listed beside the nodes')
        .choices(LAG_BY)
        .default('device'),
    )
    .option('--top <rows>', 'the furthest behind, at most so many', parseTop, 20)
    .option('--seen <duration>', 'only who was heard of in that time of the log', parseDuration)
    .option('--watch', 'show it again every two seconds, until Ctrl-C')
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--node-timeout', 'how long each node may take to answer', '1s'))
    .addOption(durationOption('--timeout', 'how long to wait until all were looked at', '5m'))
    .option('--bundle <file>', 'of what parley debug kept: nodes only')
    .option('--json', 'one JSON document; with --watch one a line')
    .addHelpText('after', HELP)
    .action(run)
}

async function run(flags: LagFlags): Promise<void> {
  if (flags.seen !== undefined && flags.by === 'conversation') {
    throw new CliError(ExitCode.usage, '--seen is of devices and users, not of conversations')
  }
  if (flags.bundle !== undefined) {
    const nodes = nodeLags(answersOf(await readBundle(flags.bundle)))
    show(nodes, null, { ...flags, watch: false })
    return endWell(nodes)
  }
  const query = new URLSearchParams({ by: flags.by, top: String(flags.top) })
  if (flags.seen !== undefined)
    query.set('seenWithinMs', String(Math.max(1, Math.round(flags.seen))))
  for (;;) {
    const nodes = await look(query, flags)
    if (flags.watch !== true) return endWell(nodes)
    await sleep(WATCH_MS)
  }
}

async function look(query: URLSearchParams, flags: LagFlags): Promise<readonly NodeLag[]> {
  const urls = findUrls(flags.url)
  const options = { timeoutMs: flags.nodeTimeout, headers: tokenHeaders(flags.tokenFile) }
  const answers = await collectViews(urls, options)
  refuseIfRefused(judge(answers), answers)
  const nodes = nodeLags(answers)
  const untilMs = performance.now() + flags.timeout
  const call = { urls, timeoutMs: CALL_MS, tokenFile: flags.tokenFile, untilMs }
  try {
    const survey = await surveyLag(query, call, ({ looked, total }) =>
      note(`parley: looked at ${looked} of ${total}`),
    )
    show(nodes, survey, flags)
  } catch (error) {
    // No node serves, perhaps for they are behind: just then one wants to see how far.
    if (!(error instanceof CliError) || error.exitCode !== ExitCode.failed) throw error
    show(nodes, null, flags)
    if (flags.watch !== true) throw error
    note(`parley: ${error.message}`)
  }
  return nodes
}

function show(
  nodes: readonly NodeLag[],
  survey: LagSurvey | null,
  { json, watch }: Pick<LagFlags, 'json' | 'watch'>,
): void {
  if (json === true) {
    printJson({ schema: 1, nodes, survey })
    return
  }
  const isScreen = watch === true && process.stdout.isTTY
  const text = lagText(nodes, survey, Date.now())
  print(`${isScreen ? HOME_AND_CLEAR : ''}${text}${watch === true ? '\n' : ''}`)
}

function endWell(nodes: readonly NodeLag[]): void {
  if (nodes.length === 0 || nodes.some(({ apply }) => apply === null)) {
    throw new CliError(ExitCode.unhealthy)
  }
}

function parseTop(text: string): number {
  const top = Number(text)
  if (/^\d{1,3}$/.test(text) && top >= 1 && top <= MOST_ROWS) return top
  throw new InvalidArgumentError(`It is a number from 1 to ${MOST_ROWS}.`)
}
