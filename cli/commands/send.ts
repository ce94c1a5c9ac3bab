import { type Command, Option } from 'commander'
import type { SendResult } from '#client'
import { connectAs, explainChatError } from '../chat-session.ts'
import { findUrls, urlOption } from '../cluster/find-urls.ts'
import { parseDuration } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { print, printJson } from '../output.ts'

interface SendFlags {
  readonly as: string
  readonly to?: string
  readonly conv?: string
  readonly id?: string
  readonly replyTo?: number
  readonly timeout: number
  readonly url?: string[]
  readonly json?: boolean
}

export function configure(command: Command): void {
  command
    .argument('<text>', 'what to say')
    .requiredOption('--as <user>', 'who says it')
    .addOption(new Option('--to <user>', 'a person').conflicts('conv'))
    .addOption(new Option('--conv <id>', 'a conversation'))
    .option('--reply-to <seq>', 'number of the message that this one answers', Number)
    .option('--id <msgId>', 'id of an earlier try: it is stored once, however often it is sent')
    .option('--timeout <duration>', 'how long to wait for the answer', parseDuration, 10_000)
    .addOption(urlOption())
    .option('--json', 'one JSON document')
    .addHelpText(
      'after',
      '\nExit code 4: no answer in time, it may have been stored. 5: refused for good.',
    )
    .action(run)
}

async function run(text: string, flags: SendFlags): Promise<void> {
  if ((flags.to === undefined) === (flags.conv === undefined)) {
    throw new CliError(ExitCode.usage, 'name a person with --to or a conversation with --conv')
  }
  const chat = await connectAs(flags.as, findUrls(flags.url), flags.timeout)
  try {
    const room =
      flags.conv === undefined ? chat.direct(flags.to ?? '') : chat.conversation(flags.conv)
    const startedAt = performance.now()
    const message = room.send(text, { msgId: flags.id, replyTo: flags.replyTo })
    const result = await inTime(message.sent, flags.timeout, message.msgId)
    const { conversation, seq, duplicate } = result
    if (flags.json === true) printJson(result)
    else {
      const took = (performance.now() - startedAt).toFixed(1)
      const already = duplicate ? ' (it was stored already)' : ''
      print(`sent · ${conversation} · seq ${seq} · ${took} ms${already}`)
    }
  } catch (error) {
    throw explainChatError(error)
  } finally {
    chat.close()
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
      const again = `send it again with --id ${msgId}: it is stored once`
      reject(new CliError(ExitCode.outcomeUnknown, `no answer within ${limitMs} ms; ${again}`))
    }, limitMs)
  })
  try {
    return await Promise.race([sent, late])
  } finally {
    clearTimeout(timer)
  }
}
