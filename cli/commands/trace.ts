import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import { judge } from '../cluster/cluster-status.ts'
import { type NodeAnswer, nodePath } from '../cluster/cluster-view.ts'
import { type Answers, collectViews } from '../cluster/collect-views.ts'
import { findUrls, urlOption } from '../cluster/find-urls.ts'
import { refuseIfRefused } from '../cluster/refuse-if-refused.ts'
import { part } from '../doctor/capture.ts'
import { durationOption } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { print, printJson } from '../output.ts'
import { plainJson } from '../plain-text.ts'
import { tokenFileOption, tokenHeaders } from '../token-file.ts'
import { type NodePart, type NodeTrace, noTraceText, traceText } from '../trace/trace-text.ts'

interface TraceFlags {
  readonly url?: string[]
  readonly json?: boolean
  readonly conversation: string
  readonly as?: string
  readonly seq?: number
  readonly nodeTimeout: number
  readonly tokenFile?: string
}

export function configure(command: Command): void {
  command
    .argument('[id]', 'msgId of the message, or --seq')
    .requiredOption('--conversation <id>', 'where it stands, as "parley tail" prints it')
    .option('--as <user>', 'who sent it: ids are unique per user')
    .addOption(new Option('--seq <number>', 'its number in the conversation').argParser(seqOf))
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--node-timeout', 'how long each node may take to answer', '5s'))
    .option('--json', 'one JSON document')
    .addHelpText('after', '\nShows no body. Exit code 1 if no node knows the message.')
    .action(run)
}

async function run(id: string | undefined, flags: TraceFlags): Promise<void> {
  if ((id === undefined) === (flags.seq === undefined)) {
    throw new CliError(ExitCode.usage, 'name the message by its id or by --seq, one of them')
  }
  const options = { timeoutMs: flags.nodeTimeout, headers: tokenHeaders(flags.tokenFile) }
  const answers = await collectViews(findUrls(flags.url), options)
  refuseIfRefused(judge(answers), answers)
  const query = {
    ...(id === undefined ? {} : { msgId: id }),
    ...(flags.seq === undefined ? {} : { seq: String(flags.seq) }),
    ...(flags.as === undefined ? {} : { from: flags.as }),
  }
  const nodes = await Promise.all(
    [...answers].map(async ([url, answer]): Promise<NodePart> => {
      const { view } = answer
      const told = await part(
        traceUrl(url, answer, { conversation: flags.conversation, query }),
        options,
      )
      return {
        node: view?.node ?? url,
        trace: traceIn(told.text),
        why: told.missing?.replace(/^.*: /, '') ?? null,
        through: throughWhom(answer, answers),
        persisted: view?.persisted ?? null,
        applied: view?.applied ?? null,
      }
    }),
  )
  const said = nodes.flatMap(({ trace }) => trace ?? [])
  const found = said.find((trace) => trace.found) ?? null
  if (flags.json === true) {
    printJson({ schema: 1, found: found !== null, ...found, nodes })
    if (found === null) throw new CliError(ExitCode.failed)
    return
  }
  if (found === null) {
    const [first] = said
    const why = nodes.map(({ node, why: reason }) => `${node}: ${reason}`).join(', ')
    throw new CliError(
      ExitCode.failed,
      first === undefined ? `no node can tell: ${why}` : noTraceText(first),
    )
  }
  print(traceText(found, nodes))
}

function throughWhom(answer: NodeAnswer, answers: Answers): string | null {
  if (answer.view === null || answer.through === undefined) return null
  return answers.get(answer.through)?.view?.node ?? answer.through
}

/** At the node itself, or where it was heard of. */
function traceUrl(
  url: string,
  answer: NodeAnswer,
  { conversation, query }: { conversation: string; query: Record<string, string> },
): URL {
  const isThrough = answer.view !== null && answer.through !== undefined
  const where = isThrough
    ? new URL(`${nodePath(answer.view.node)}/trace`, answer.through)
    : new URL(`/v1/cluster/conversations/${encodeURIComponent(conversation)}/trace`, url)
  const asked = isThrough ? { conversation, ...query } : query
  where.search = new URLSearchParams(asked).toString()
  return where
}

function traceIn(text: string | null): NodeTrace | null {
  try {
    const said = plainJson(JSON.parse(text ?? '')) as Partial<NodeTrace> | null
    return typeof said?.found === 'boolean' ? (said as NodeTrace) : null
  } catch {
    return null
  }
}

function seqOf(text: string): number {
  const seq = Number(text)
  if (Number.isSafeInteger(seq) && seq >= 1) return seq
  throw new InvalidArgumentError('It is the number of an event, from 1 on.')
}
