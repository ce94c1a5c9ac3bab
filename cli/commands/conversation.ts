import { type Command, InvalidArgumentError } from 'commander'
import { parseConversation } from '../chat-arguments.ts'
import { urlOption } from '../cluster/find-urls.ts'
import { adminCallOf, type OperatorFlags } from '../cluster/operator-flags.ts'
import { durationOption } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { exportConversation, type ExportProgress } from '../export/export-conversation.ts'
import { fileTarget, stdoutTarget } from '../export/export-target.ts'
import { conversationText } from '../conversation/conversation-text.ts'
import { EVENT_COLUMNS, eventRow, type ListedItem } from '../conversation/event-row.ts'
import { followEvents, listEvents } from '../conversation/list-events.ts'
import { showConversation } from '../conversation/show-conversation.ts'
import { note, print, printJson, table } from '../output.ts'
import { watchParent } from '../parent-watch.mjs'
import { tokenFileOption } from '../token-file.ts'

interface ExportFlags extends OperatorFlags {
  readonly output?: string
  readonly resume?: boolean
  readonly after?: number
  readonly patience: number
}

interface ShowFlags extends OperatorFlags {
  readonly limit: number
  readonly json?: boolean
}

interface MessagesFlags extends ShowFlags {
  readonly after?: number
  readonly follow?: boolean
  readonly bodies?: boolean
  readonly patience: number
}

const MOST_LISTED = 100_000
/** Between two words on how far it is. */
const PROGRESS_MS = 2_000

const EXPORT_HELP = `
Examples:
  parley conversation export d_7yQ2 > d_7yQ2.ndjson
  parley conversation export d_7yQ2 --output d_7yQ2.ndjson
  parley conversation export d_7yQ2 --output d_7yQ2.ndjson --resume     goes on where it was cut off

A line is a JSON document: the conversation first, then each event, and a gap where retention removed some.`

const LOOK_HELP = `
Examples:
  parley conversation show d_7yQ2                         how it stands, and how far its members are
  parley conversation messages d_7yQ2                     the newest twenty events, without what they say
  parley conversation messages d_7yQ2 --after 120 --bodies
  parley conversation messages d_7yQ2 --follow

With --bodies it prints what users wrote: that takes a token of role admin, and each look leaves a line in
the audit log. Everything else shows no word of theirs.`

export function configure(command: Command): void {
  command.addHelpText('after', LOOK_HELP)
  const look = (name: string, about: string): Command =>
    command
      .command(name)
      .description(about)
      .argument('<conversation>', 'its id', parseConversation)
      .addOption(urlOption())
      .addOption(tokenFileOption())
      .addOption(durationOption('--timeout', 'how long a node may take to answer', '15s'))
  look('show', 'say how a conversation stands and how far its members are, without what they wrote')
    .option('--limit <members>', 'at most so many members', parseLimit, 100)
    .option('--json', 'one JSON document')
    .action(show)
  look('messages', 'list its events, without what they say')
    .option('--after <seq>', 'from behind that number on, not the newest', parseAfter)
    .option('--limit <events>', 'at most so many', parseLimit, 20)
    .option('--follow', 'go on with what comes, until Ctrl-C')
    .option('--bodies', 'with what they say: leaves a line in the audit log')
    .addOption(
      durationOption('--patience', 'how long --follow looks for a node that answers', '30s'),
    )
    .option('--json', 'one JSON document; with --follow one for each event')
    .action(messages)
  command
    .command('export')
    .description('write everything that a conversation keeps, as lines of JSON')
    .argument('<conversation>', 'its id', parseConversation)
    .option('--output <file>', 'into a file instead of standard output')
    .option('--resume', 'go on with that file, behind its last whole line')
    .option('--after <seq>', 'only what follows that number', parseAfter)
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--timeout', 'how long a node may take for a page', '30s'))
    .addOption(durationOption('--patience', 'how long to look for a node that gives one', '30s'))
    .addHelpText('after', EXPORT_HELP)
    .action(runExport)
}

async function show(conversation: string, flags: ShowFlags): Promise<void> {
  const report = await showConversation(conversation, flags.limit, adminCallOf(flags))
  if (flags.json === true) printJson({ schema: 1, ...report })
  else print(conversationText(report))
}

async function messages(conversation: string, flags: MessagesFlags): Promise<void> {
  const { after = null, limit, follow = false, bodies: withBodies = false, json = false } = flags
  const call = { ...adminCallOf(flags), patienceMs: flags.patience }
  const wanted = { conversation, after, limit, withBodies }
  const { page, position } = await listEvents(wanted, call)
  const rows = (items: readonly ListedItem[]) => items.map((item) => eventRow(item, withBodies))
  const showEach = (items: readonly ListedItem[]): void => {
    for (const item of items) {
      if (json) printJson({ schema: 1, ...item })
      else print(eventRow(item, withBodies).join('  ').trimEnd())
    }
  }
  if (json && follow) showEach(page.items)
  else if (json) printJson({ schema: 1, ...page })
  else {
    if (page.items.length > 0) print(table(EVENT_COLUMNS, rows(page.items)))
    const more = page.hasMore && !follow ? `: go on with --after ${page.next}` : ''
    note(`parley: ${conversation} up to ${page.next} of ${page.head}${more}`)
  }
  if (!follow) return
  const ending = new AbortController()
  const stop = (): void => ending.abort()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  watchParent(stop)
  await followEvents({ ...wanted, position }, call, showEach, ending.signal)
}

async function runExport(conversation: string, flags: ExportFlags): Promise<void> {
  const { output, resume = false, after } = flags
  if (resume && output === undefined) {
    throw new CliError(ExitCode.usage, '--resume goes on with a file: name it with --output')
  }
  if (output !== undefined && after !== undefined) {
    throw new CliError(ExitCode.usage, '--after is for standard output; a file knows by --resume')
  }
  const call = { ...adminCallOf(flags), patienceMs: flags.patience }
  const target =
    output === undefined ? stdoutTarget(after ?? 0) : fileTarget(output, { conversation, resume })
  let at: ExportProgress = { seq: target.after, head: 0 }
  let toldMs = performance.now()
  try {
    at = await exportConversation(conversation, target, call, (progress) => {
      at = progress
      if (performance.now() - toldMs < PROGRESS_MS) return
      toldMs = performance.now()
      note(`parley: ${progress.seq} of ${progress.head}`)
    })
  } catch (error) {
    if (!(error instanceof CliError) || at.seq === 0) throw error
    const more = output === undefined ? `--after ${at.seq}` : '--resume'
    throw new CliError(
      error.exitCode,
      `${error.message}; it has everything up to ${at.seq}: go on with ${more}`,
      { cause: error },
    )
  } finally {
    target.close()
  }
  note(`parley: exported ${conversation} up to ${at.seq}`)
}

function parseLimit(text: string): number {
  const limit = Number(text)
  if (/^\d{1,6}$/.test(text) && limit >= 1 && limit <= MOST_LISTED) return limit
  throw new InvalidArgumentError(`It is a number from 1 to ${MOST_LISTED}.`)
}

function parseAfter(text: string): number {
  const seq = Number(text)
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(seq)) return seq
  throw new InvalidArgumentError('It is the number of an event, from 0 on.')
}
