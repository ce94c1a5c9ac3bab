import { type Command, Option } from 'commander'
import { type ChatClient, ChatError, type SendResult } from '#client'
import { parseConversation, parseMsgId, parseSeq, parseUser } from '../chat-arguments.ts'
import { connectAs, explainChatError } from '../chat-session.ts'
import { findUrls, urlOption } from '../cluster/find-urls.ts'
import { durationOption } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { print, printJson } from '../output.ts'
import { tokenFileOption } from '../token-file.ts'

interface SendFlags {
  readonly as?: string
  readonly tokenFile?: string
  readonly to?: string
  readonly conv?: string
  readonly id?: string
  readonly replyTo?: number
  readonly timeout: number
  readonly url?: string[]
  readonly json?: boolean
}

const HELP = `
Examples:
  parley send --as alice --to bob "hi"
  parley send --as alice --to bob --id order-17 "paid"    again and again: stored once

Exit code 4: no answer in time, it may have been stored. 5: refused for good.`

export function configure(command: Command): void {
  command
    .argument('<text>', 'what to say')
    .option('--as <user>', 'who says it; with a token: whom you speak for', parseUser)
    .addOption(tokenFileOption())
    .addOption(new Option('--to <user>', 'a person').argParser(parseUser).conflicts('conv'))
    .addOption(new Option('--conv <id>', 'a conversation').argParser(parseConversation))
    .option('--reply-to <seq>', 'number of the message that this one answers', parseSeq)
    .option(
      '--id <msgId>',
      'id of an earlier try: it is stored once, however often it is sent',
      parseMsgId,
    )
    .addOption(durationOption('--timeout', 'how long to wait for the answer', '10s'))
    .addOption(urlOption())
    .option('--json', 'one JSON document: the result, or the error')
    .addHelpText('after', HELP)
    .action(run)
}

async function run(text: string, flags: SendFlags): Promise<void> {
  if ((flags.to === undefined) === (flags.conv === undefined)) {
    throw new CliError(ExitCode.usage, 'name a person with --to or a conversation with --conv')
  }
  let chat: ChatClient | null = null
  let msgId = flags.id
  try {
    chat = await connectAs(flags, findUrls(flags.url), flags.timeout)
    const room =
      flags.conv === undefined ? chat.direct(flags.to ?? '') : chat.conversation(flags.conv)
    const startedAt = performance.now()
    const message = room.send(text, { msgId, replyTo: flags.replyTo })
    msgId = message.msgId
    const result = await inTime(message.sent, flags.timeout, message.msgId)
    const { conversation, seq, duplicate } = result
    if (flags.json === true) printJson(result)
    else {
      const took = (performance.now() - startedAt).toFixed(1)
      const already = duplicate ? ' (it was stored already)' : ''
      print(`sent · ${conversation} · seq ${seq} · ${took} ms${already}`)
    }
  } catch (error) {
    throw explainChatError(error, {
      json: flags.json,
      ...(msgId === undefined ? {} : { msgId }),
    })
  } finally {
    chat?.close()
  }
}

async function inTime(
  sent: Promise<SendResult>,
  limitMs: number,
  msgId: string,
): Promise<SendResult> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const again = `send the same text again with --id ${msgId}: it is stored once`
      reject(new ChatError('OUTCOME_UNKNOWN', `no answer within ${limitMs} ms; ${again}`, UNKNOWN))
    }, limitMs)
  })
  try {
    return await Promise.race([sent, late])
  } finally {
    clearTimeout(timer)
  }
}

const UNKNOWN = { retryable: true, outcome: 'unknown' } as const
