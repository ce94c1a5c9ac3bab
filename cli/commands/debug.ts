import { rename, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { bytesText } from '../byte-size.ts'
import { judge } from '../cluster/cluster-status.ts'
import type { AskOptions } from '../cluster/cluster-view.ts'
import { findUrls, urlOption } from '../cluster/find-urls.ts'
import { refuseIfRefused } from '../cluster/refuse-if-refused.ts'
import { packBundle } from '../debug/bundle.ts'
import { answersOf, captureCluster, part, type Part, reports } from '../doctor/capture.ts'
import { durationOption } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { note, print, printJson } from '../output.ts'
import { tokenFileOption, tokenHeaders } from '../token-file.ts'
import { version } from '../version.ts'

interface DebugFlags {
  readonly url?: string[]
  readonly json?: boolean
  readonly output?: string
  readonly nodeTimeout: number
  readonly sample: number
  readonly tokenFile?: string
}

const HELP = `
Views, metrics, settings without secrets, machines and the last lines of each node's log; no message.
Read it with "parley status --bundle FILE" and "parley doctor --bundle FILE".`

export function configure(command: Command): void {
  command
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .option('--output <file>', 'where it goes (default: parley-debug-TIME.tar.gz)')
    .addOption(durationOption('--node-timeout', 'how long each node may take to answer', '5s'))
    .addOption(durationOption('--sample', 'how long to watch what grows', '2s'))
    .option('--json', 'one JSON document')
    .addHelpText('after', HELP)
    .action(run)
}

async function run(flags: DebugFlags): Promise<void> {
  const headers = tokenHeaders(flags.tokenFile)
  const options = { timeoutMs: flags.nodeTimeout, sampleMs: flags.sample, headers }
  const path =
    flags.output ?? `parley-debug-${new Date().toISOString().replace(/[:.]/g, '')}.tar.gz`
  if (existsSync(path)) {
    throw new CliError(ExitCode.refused, `${path} is there already; name another --output`)
  }
  const urls = findUrls(flags.url)
  note(`parley: asking ${urls.join(', ')} and the members that they know`)
  const capture = await captureCluster(urls, options)
  const answers = answersOf(capture)
  refuseIfRefused(judge(answers), answers)
  const names = new Map([...answers].flatMap(([url, { view }]) => (view ? [[url, view.node]] : [])))
  const logs = await reports(answers, 'log?limit=2000', options)
  const reached = [...answers].flatMap(([url, answer]) =>
    answer.view !== null && answer.through === undefined ? [url] : [],
  )
  const settings = await anySettings(reached, options)
  const missing = [
    ...capture.nodes.flatMap(({ url, answer, missing: of }) => [
      ...(answer.view === null ? [`${url}: ${answer.detail}`] : []),
      ...of.map((part) => `${url}${part}`),
    ]),
    ...[...logs].flatMap(([url, { missing: part }]) => (part === null ? [] : [`${url}${part}`])),
  ]
  const bundle = await packBundle({
    capture,
    logs: new Map([...logs].map(([url, part]) => [names.get(url) ?? url, linesIn(part)])),
    settings,
    version: version(),
    missing,
  })
  // Whole or not there: half a bundle would be taken for a whole one.
  await writeFile(`${path}.partial`, bundle, { mode: 0o600 })
  await rename(`${path}.partial`, path)
  const nodes = [...names.values()]
  if (flags.json === true) printJson({ schema: 1, path, bytes: bundle.length, nodes, missing })
  else print(`wrote ${path} · ${bytesText(bundle.length)} · ${nodes.join(', ') || 'no node'}`)
  for (const line of missing) note(`parley: not in it: ${line}`)
}

async function anySettings(urls: readonly string[], options: AskOptions): Promise<unknown> {
  for (const url of urls) {
    const { text } = await part(new URL('/v1/cluster/settings', url), options)
    if (text !== null) return parsed(text)
  }
  return null
}

/** As they are: they go into a file, and a stack that is cut off is of no use. */
function linesIn({ text }: Part): string[] {
  const lines = (parsed(text ?? '') as { lines?: unknown } | null)?.lines
  return Array.isArray(lines) ? lines.filter((line) => typeof line === 'string') : []
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
