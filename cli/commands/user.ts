import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import { parseUser } from '../chat-arguments.ts'
import { type AdminCall, adminText } from '../cluster/admin-call.ts'
import { urlOption } from '../cluster/find-urls.ts'
import { adminCallOf, type OperatorFlags } from '../cluster/operator-flags.ts'
import { counted } from '../counted.ts'
import { durationOption } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { note, print, printJson } from '../output.ts'
import { tokenFileOption } from '../token-file.ts'

interface EraseFlags extends OperatorFlags {
  readonly yes?: boolean
  readonly wait: number
  readonly json?: boolean
}

/** What is kept of what a user said. */
interface Kept {
  readonly bodies: number
  readonly conversations: number
  /** An erasure is under way. */
  readonly pending: boolean
  readonly mark: string | null
}

const LOOK_MS = 500
const PROGRESS_MS = 5_000

const HELP = `
Examples:
  parley user erase alice                 says what would be removed, and removes nothing
  parley user erase alice --yes

Every message and edit of the user loses its body, in every conversation, for good; the events stay as
stubs. What member events and reactions say of the user stays, and tokens stay good: parley token revoke.
Exit code 5 without --yes, 1 if it is not done within --wait: it goes on by itself.`

export function configure(command: Command): void {
  command
    .command('erase')
    .description('remove everything that a user said, in every conversation')
    .argument('<user>', 'whose messages', parseUser)
    .option('--yes', 'do it')
    .addOption(durationOption('--wait', 'how long to watch it', '10m'))
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(durationOption('--timeout', 'how long a node may take to answer', '30s'))
    .option('--json', 'one JSON document')
    .addHelpText('after', HELP)
    .action(run)
}

async function run(user: string, flags: EraseFlags): Promise<void> {
  const { json = false } = flags
  const call = adminCallOf(flags)
  const before = await keptOf(user, call, '&read=linearizable')
  const { bodies, conversations } = before
  const told = { schema: 1, user, bodies, conversations }
  const what = `${bodies === 1 ? '1 message or edit' : `${bodies} messages and edits`} in ${counted(conversations, 'conversation')}`
  if (flags.yes !== true) {
    const state = before.pending ? 'is being erased' : 'would be erased'
    if (json) printJson({ ...told, pending: before.pending, erased: false })
    else print(`${state} · ${user} · ${what}`)
    throw new CliError(ExitCode.refused, 'nothing was done: add --yes, and it is done for good')
  }
  const startedMs = performance.now()
  const body = { user }
  const { mark } = await adminText('/v1/cluster/erasures', { ...call, body, mark: before.mark })
  await watch(user, { ...call, mark }, flags.wait)
  const ms = Math.round(performance.now() - startedMs)
  if (json) printJson({ ...told, pending: false, erased: true, ms })
  else print(`erased · ${user} · ${what} · ${ms} ms`)
}

/** Until it is done; says now and then how much is left. */
async function watch(user: string, call: AdminCall, waitMs: number): Promise<void> {
  const startedMs = performance.now()
  let toldMs = startedMs
  let { mark = null } = call
  for (;;) {
    // It is there for good: a node that does not answer now changes nothing.
    const page = await pageOf(user, '', { ...call, mark }).catch((error: unknown) => {
      if (error instanceof CliError && error.exitCode === ExitCode.failed) return null
      throw error
    })
    if (page?.pending === false) return
    mark = page?.mark ?? mark
    const nowMs = performance.now()
    if (nowMs - startedMs >= waitMs) {
      throw new CliError(
        ExitCode.failed,
        `${user} is being erased, and it is not done: it goes on by itself, look again later`,
      )
    }
    if (page !== null && nowMs - toldMs >= PROGRESS_MS) {
      toldMs = nowMs
      const { bodies } = await keptOf(user, { ...call, mark }, '')
      note(`parley: ${bodies} messages and edits left`)
    }
    await delay(LOOK_MS)
  }
}

/** All pages of it. */
async function keptOf(user: string, call: AdminCall, how: string): Promise<Kept> {
  const counts = new Map<string, number>()
  let mark: string | null = call.mark ?? null
  let toldMs = performance.now()
  for (let after: string | null = ''; ;) {
    const from = after === '' ? '' : `&after=${encodeURIComponent(after)}`
    const page = await pageOf(user, `${how}${from}`, { ...call, mark })
    for (const { conv, bodies } of page.conversations) {
      counts.set(conv, (counts.get(conv) ?? 0) + bodies)
    }
    ;({ mark, next: after } = page)
    if (after === null) {
      const bodies = [...counts.values()].reduce((sum, count) => sum + count, 0)
      return { bodies, conversations: counts.size, pending: page.pending, mark }
    }
    if (performance.now() - toldMs >= PROGRESS_MS) {
      toldMs = performance.now()
      note(`parley: counted in ${counts.size} conversations so far`)
    }
  }
}

async function pageOf(user: string, query: string, call: AdminCall) {
  const path = `/v1/cluster/erasures/${encodeURIComponent(user)}?${query.replace(/^&/, '')}`
  const { text, mark } = await adminText(path, call)
  const said = JSON.parse(text) as {
    readonly pending: boolean
    readonly conversations: readonly { readonly conv: string; readonly bodies: number }[]
    readonly next: string | null
  }
  return { ...said, mark }
}
