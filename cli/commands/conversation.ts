import { type Command, InvalidArgumentError } from 'commander'
import { parseConversation } from '../chat-arguments.ts'
import { urlOption } from '../cluster/find-urls.ts'
import { adminCallOf, type OperatorFlags } from '../cluster/operator-flags.ts'
import { durationOption } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { exportConversation, type ExportProgress } from '../export/export-conversation.ts'
import { fileTarget, stdoutTarget } from '../export/export-target.ts'
import { note } from '../output.ts'
import { tokenFileOption } from '../token-file.ts'

interface ExportFlags extends OperatorFlags {
  readonly output?: string
  readonly resume?: boolean
  readonly after?: number
  readonly patience: number
}

/** Between two words on how far it is. */
const PROGRESS_MS = 2_000

const HELP = `
Examples:
  parley conversation export d_7yQ2 > d_7yQ2.ndjson
  parley conversation export d_7yQ2 --output d_7yQ2.ndjson
  parley conversation export d_7yQ2 --output d_7yQ2.ndjson --resume     goes on where it was cut off

A line is a JSON document: the conversation first, then each event, and a gap where retention removed some.`

export function configure(command: Command): void {
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
    .addHelpText('after', HELP)
    .action(run)
}

async function run(conversation: string, flags: ExportFlags): Promise<void> {
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

function parseAfter(text: string): number {
  const seq = Number(text)
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(seq)) return seq
  throw new InvalidArgumentError('It is the number of an event, from 0 on.')
}
