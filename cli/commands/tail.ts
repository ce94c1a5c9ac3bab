import { type Command, InvalidArgumentError } from 'commander'
import type { ChatClient, ChatMessage } from '#client'
import { parseConversation, parseUser } from '../chat-arguments.ts'
import { connectAs, explainChatError, speakerName } from '../chat-session.ts'
import { findUrls, urlOption } from '../cluster/find-urls.ts'
import { noteConnection } from '../connection-notes.ts'
import { durationOption } from '../duration.ts'
import { messageLine } from '../message-line.ts'
import { note, print, printJson } from '../output.ts'
import { tokenFileOption } from '../token-file.ts'
import { watchParent } from '../parent-watch.mjs'

interface TailFlags {
  readonly as?: string
  readonly tokenFile?: string
  readonly conv?: string
  readonly lines: number
  readonly follow: boolean
  readonly timeout: number
  readonly url?: string[]
  readonly json?: boolean
}

const LINES_LIMIT = 1_000
/** Of one text on a terminal: about half a screen. */
const TEXT_LIMIT = 1_000

const HELP = `
Examples:
  parley tail --as bob
  parley tail --as bob -n 100 --no-follow --json | jq .body`

export function configure(command: Command): void {
  command
    .option('--as <user>', 'whose conversations; with a token: whom you speak for', parseUser)
    .addOption(tokenFileOption())
    .option('--conv <id>', 'only this one', parseConversation)
    .option('-n, --lines <count>', 'how many earlier messages of each to print first', lines, 10)
    .option('--no-follow', 'end after the earlier ones')
    .addOption(durationOption('--timeout', 'how long to look for a node that serves', '10s'))
    .addOption(urlOption())
    .option('--json', 'one JSON document per message')
    .addHelpText('after', HELP)
    .action(run)
}

async function run(flags: TailFlags): Promise<void> {
  const { json } = flags
  const user = speakerName(flags)
  const chat = await connectAs(flags, findUrls(flags.url), flags.timeout).catch((error) => {
    throw explainChatError(error, { json })
  })
  const show = json === true ? printJson : printLine
  const stop = () => chat.close()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  watchParent(stop)
  try {
    // A stranger's history is an empty one: asking for the conversation itself tells them apart.
    if (flags.conv !== undefined) await chat.conversation(flags.conv).info()
    // Begun before the history is read, so that nothing falls in between.
    const stream =
      flags.conv === undefined ? chat.messages() : chat.conversation(flags.conv).messages()
    const shown = await showEarlier(chat, flags, show)
    if (!flags.follow) {
      if (shown.size === 0 && flags.lines > 0) note(`parley: ${user} is in no conversation`)
      return
    }
    note(`parley: ${user} listens; Ctrl-C ends it`)
    void noteConnection(chat, note)
    for await (const message of stream) {
      if (message.seq > (shown.get(message.conversation) ?? 0)) show(message)
    }
  } catch (error) {
    throw explainChatError(error, { json })
  } finally {
    chat.close()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop)
  }
}

/** Prints the newest messages of each conversation; tells up to which seq by conversation. */
async function showEarlier(
  chat: ChatClient,
  flags: TailFlags,
  show: (message: ChatMessage) => void,
): Promise<ReadonlyMap<string, number>> {
  const ids =
    flags.conv === undefined ? (await chat.conversations()).map(({ id }) => id) : [flags.conv]
  const shown = new Map<string, number>()
  if (flags.lines === 0) return shown
  // The list is newest first; a terminal shows the newest last.
  for (const id of ids.toReversed()) {
    let page = await chat.conversation(id).history({ limit: flags.lines })
    shown.set(id, page.events.at(-1)?.seq ?? 0)
    // Members joining and the like are events too: go on until there are enough messages.
    let messages = page.events.filter(isMessage)
    while (messages.length < flags.lines && page.hasMore) {
      page = await page.next()
      messages = [...page.events.filter(isMessage), ...messages]
    }
    for (const message of messages.slice(-flags.lines)) show(message)
  }
  return shown
}

function isMessage(event: { kind: string }): event is ChatMessage {
  return event.kind === 'message'
}

function printLine(message: ChatMessage): void {
  const maxCharacters = process.stdout.isTTY ? TEXT_LIMIT : Infinity
  print(messageLine(message, { nowMs: Date.now(), maxCharacters }))
}

function lines(text: string): number {
  const count = Number(text)
  if (!/^\d+$/.test(text) || count > LINES_LIMIT) {
    throw new InvalidArgumentError(`Must be an integer from 0 to ${LINES_LIMIT}.`)
  }
  return count
}
