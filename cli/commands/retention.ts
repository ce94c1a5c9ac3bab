import { type Command, InvalidArgumentError, Option } from 'commander'
import { parseConversation } from '../chat-arguments.ts'
import { bytesText } from '../byte-size.ts'
import { type AdminCall, adminCall } from '../cluster/admin-call.ts'
import { urlOption } from '../cluster/find-urls.ts'
import { adminCallOf, type OperatorFlags } from '../cluster/operator-flags.ts'
import { durationOption, parseDuration } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { print, printJson, table } from '../output.ts'
import { tokenFileOption } from '../token-file.ts'

interface RetentionFlags extends OperatorFlags {
  readonly dryRun?: boolean
  readonly maxAge?: number
  readonly maxCount?: number
  readonly maxBytes?: number
  readonly preset?: string
  readonly json?: boolean
}

interface Preview {
  readonly conv: string
  readonly events: number
  readonly stubs: number
  readonly bytes: number
  readonly oldestKept: { readonly seq: number; readonly at: number } | null
  readonly isWhole: boolean
}

/** With all that was acknowledged before. */
const NEWEST = 'read=linearizable'

const HELP = `
Examples:
  parley retention --dry-run                                    by the policies that there are
  parley retention --dry-run g_Kx81 --max-age 720h --max-count 1000

Nothing is removed. EVENTS go from the beginning, STUBS stay without their bodies, BYTES are of both. A
policy is set in the conversation itself (conv:R set); then the leader removes what it says.`

export function configure(command: Command): void {
  command
    .argument('[conversation]', 'only this one, also with another policy', parseConversation)
    .option('--dry-run', 'say what retention would remove now')
    .option('--max-age <duration>', 'had it this policy: no older than that', parseDuration)
    .option('--max-count <messages>', 'at most so many messages', parseBound)
    .option('--max-bytes <bytes>', 'at most so many bytes of one sender', parseBound)
    .addOption(new Option('--preset <name>', 'bounds by name').choices(['paper']))
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--timeout', 'how long a node may take to answer', '5m'))
    .option('--json', 'one JSON document')
    .addHelpText('after', HELP)
    .action(run)
}

async function run(conversation: string | undefined, flags: RetentionFlags): Promise<void> {
  if (flags.dryRun !== true) {
    const why = 'this only says what retention would remove: add --dry-run'
    throw new CliError(ExitCode.usage, why)
  }
  const bounds = boundsOf(flags)
  if (conversation === undefined && bounds !== '') {
    throw new CliError(ExitCode.usage, 'name the conversation that is to have this policy')
  }
  const call = adminCallOf(flags)
  const previews =
    conversation === undefined ? await all(call) : [await one(conversation, bounds, call)]
  if (flags.json === true) printJson({ schema: 1, conversations: previews })
  else show(previews)
}

async function all(call: AdminCall): Promise<Preview[]> {
  const previews: Preview[] = []
  for (let after = ''; ;) {
    const from = after === '' ? '' : `&after=${encodeURIComponent(after)}`
    const page = (await adminCall(`/v1/cluster/retention?${NEWEST}${from}`, call)) as {
      readonly conversations: readonly Preview[]
      readonly next: string | null
    }
    previews.push(...page.conversations)
    if (page.next === null) return previews
    after = page.next
  }
}

async function one(conversation: string, bounds: string, call: AdminCall): Promise<Preview> {
  const path = `/v1/cluster/conversations/${encodeURIComponent(conversation)}/retention`
  return (await adminCall(`${path}?${NEWEST}&${bounds}`, call)) as unknown as Preview
}

function show(previews: readonly Preview[]): void {
  const concerned = previews.filter(({ events, stubs }) => events > 0 || stubs > 0)
  const sum = (of: (preview: Preview) => number) =>
    concerned.reduce((total, preview) => total + of(preview), 0)
  const events = sum((preview) => preview.events)
  const stubs = sum((preview) => preview.stubs)
  const bytes = sum((preview) => preview.bytes)
  const where = `${concerned.length} of ${previews.length} conversations`
  print(`would remove · ${events} events and ${stubs} bodies · ${bytesText(bytes)} · ${where}`)
  if (concerned.length === 0) return
  const rows = concerned.map((preview) => {
    const { conv, oldestKept, isWhole } = preview
    const kept =
      oldestKept === null
        ? 'nothing'
        : `${oldestKept.seq}, of ${new Date(oldestKept.at).toISOString()}`
    const counts = [preview.events, preview.stubs, preview.bytes].map(String)
    return [conv, ...counts, kept, isWhole ? '' : 'and more']
  })
  print('')
  print(table(['CONVERSATION', 'EVENTS', 'STUBS', 'BYTES', 'OLDEST KEPT', ''], rows))
}

function boundsOf({ maxAge, maxCount, maxBytes, preset }: RetentionFlags): string {
  const bounds = { maxAgeMs: maxAge, maxCount, maxBytes, preset }
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(bounds)) {
    if (value !== undefined) query.set(name, String(value))
  }
  return query.toString()
}

function parseBound(text: string): number {
  const bound = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(bound) && bound > 0) return bound
  throw new InvalidArgumentError('Must be an integer from 1 on.')
}
