import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { type Capacity, capacityOf, type Counted } from '../capacity/capacity.ts'
import { capacityText, type Headroom } from '../capacity/capacity-text.ts'
import { judge } from '../cluster/cluster-status.ts'
import { findUrls, urlOption } from '../cluster/find-urls.ts'
import { refuseIfRefused } from '../cluster/refuse-if-refused.ts'
import { answersOf, captureCluster } from '../doctor/capture.ts'
import { durationOption } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { note, print, printJson } from '../output.ts'
import { tokenFileOption, tokenHeaders } from '../token-file.ts'

interface CapacityFlags {
  readonly url?: string[]
  readonly tokenFile?: string
  readonly nodeTimeout: number
  readonly sample: number
  readonly since?: string
  readonly ceiling?: string
  readonly json?: boolean
}

const HELP = `
Examples:
  parley capacity                                        at the rate of the next ten seconds
  parley capacity --json >monday.json                    and days later:
  parley capacity --since monday.json                    at the rate of those days
  parley bench send --find-max --nodes 3 --json >max.json
  parley capacity --ceiling max.json                     how much of that is used

LOGGED and KEPT are for each message, with its receipts: what it takes in the log, which is cut off
again, and on disk for good.`

export function configure(command: Command): void {
  command
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--node-timeout', 'how long each node may take to answer', '2s'))
    .addOption(durationOption('--sample', 'how long to watch what is written', '10s'))
    .option('--since <file>', 'instead: since what --json printed then')
    .option(
      '--ceiling <rate|file>',
      'the most that was measured, per second: parley bench --find-max',
    )
    .option('--json', 'one JSON document')
    .addHelpText('after', HELP)
    .action(run)
}

async function run(flags: CapacityFlags): Promise<void> {
  const ceiling = flags.ceiling === undefined ? null : ceilingOf(flags.ceiling)
  const since = flags.since === undefined ? undefined : countedIn(flags.since)
  const urls = findUrls(flags.url)
  if (since === undefined) note(`parley: watching for ${flags.sample / 1_000} s what is written`)
  const capture = await captureCluster(urls, {
    timeoutMs: flags.nodeTimeout,
    sampleMs: since === undefined ? flags.sample : 0,
    headers: tokenHeaders(flags.tokenFile),
  })
  const answers = answersOf(capture)
  const status = judge(answers)
  refuseIfRefused(status, answers)
  if (status.view === null) throw new CliError(ExitCode.failed, status.sentence)
  const capacity = capacityOf(capture, since === undefined ? {} : { since })
  for (const { url, answer } of capture.nodes) {
    if (answer.view === null) note(`parley: not in it: ${url}: ${answer.detail}`)
  }
  const headroom = headroomOf(capacity, ceiling)
  if (flags.json === true) printJson({ schema: 1, ...capacity, headroom })
  else print(capacityText(capacity, headroom))
}

function headroomOf({ messagesPerSecond }: Capacity, ceiling: number | null): Headroom | null {
  if (ceiling === null) return null
  return { ceiling, usedShare: (messagesPerSecond ?? 0) / ceiling }
}

/** A rate, or the file of one that was found. */
function ceilingOf(text: string): number {
  const rate = /^\d+(\.\d+)?$/.test(text) ? Number(text) : rateIn(text)
  if (Number.isFinite(rate) && rate > 0) return rate
  throw new CliError(
    ExitCode.usage,
    `${text} holds no highest rate: keep one with "parley bench send --find-max --json"`,
  )
}

function rateIn(path: string): number {
  const said = readJson(path) as { max?: { rate?: unknown } | null } | null
  return Number(said?.max?.rate ?? NaN)
}

/** What each node had counted when it was looked at before. */
function countedIn(path: string): ReadonlyMap<string, Counted> {
  const said = readJson(path) as { schema?: unknown; nodes?: unknown } | null
  const nodes = Array.isArray(said?.nodes) ? (said.nodes as unknown[]) : []
  const found = nodes.flatMap((node): [string, Counted][] => {
    const { name, counted } = (node ?? {}) as { name?: unknown; counted?: Partial<Counted> | null }
    if (typeof name !== 'string' || typeof counted !== 'object' || counted === null) return []
    const { atMs, messages, loggedBytes, storeBytes, logBytes } = counted
    const figures = [atMs, messages, loggedBytes, storeBytes, logBytes]
    return figures.every((one) => Number.isFinite(one)) ? [[name, counted as Counted]] : []
  })
  if (said?.schema === 1 && found.length > 0) return new Map(found)
  throw new CliError(
    ExitCode.usage,
    `${path} holds no earlier look: keep one with "parley capacity --json"`,
  )
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const { message } = error as Error
    throw new CliError(ExitCode.usage, `cannot read ${path}: ${message}`, { cause: error })
  }
}
