/**
 * Run as a child process by `sdk-sending.int.test.ts`: sends messages all at once, and in a later
 * life waits until nothing is left of them in its queue.
 */
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ChatClient, defaultPorts } from '#client'
import { LevelStore } from '#client/store'
import { tracedPorts } from './traced-ports.ts'
import { endWithParent } from '../processes/run-child.ts'

export interface SendingPlan {
  readonly url: string
  readonly user: string
  readonly conversation: string
  readonly store: string
  readonly messages: number
  /** Dies when this many answers came; `null` lives until the queue is empty. */
  readonly diesAfter: number | null
}

/** What it says, a line of JSON each. */
export type SendingLine =
  | { readonly is: 'restored' | 'wire' | 'queued'; readonly msgId: string }
  | { readonly is: 'drained'; readonly pending: number; readonly unacknowledged: number }

const say = (line: SendingLine): void => void writeSync(1, `${JSON.stringify(line)}\n`)

async function live(plan: SendingPlan): Promise<void> {
  let left = plan.diesAfter ?? Infinity
  const ports = tracedPorts(defaultPorts(), ({ way, frame }) => {
    if (way === 'out' && frame.t === 'msg:R') say({ is: 'wire', msgId: frame['msgId'] as string })
    if (way !== 'in' || frame.t !== 'msg:A' || --left > 0) return
    process.kill(process.pid, 'SIGKILL')
    // The signal may take a moment, and nothing may be done in it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })
  const { url, user, conversation } = plan
  const store = new LevelStore(plan.store)
  const chat = await ChatClient.connect({ urls: [url], user, device: 'phone', store, ports })
  for (const { msgId } of chat.restored) say({ is: 'restored', msgId })
  const room = chat.conversation(conversation)
  for (let n = 0; n < plan.messages; n++) {
    const message = room.send(n)
    void message.queued.then(() => say({ is: 'queued', msgId: message.msgId }))
  }
  while (chat.pending > 0 || chat.outbox.unacknowledged > 0) await sleep(20)
  say({ is: 'drained', pending: chat.pending, unacknowledged: chat.outbox.unacknowledged })
  chat.close()
  await chat.closed
}

if (process.argv[2] !== undefined) {
  endWithParent()
  await live(JSON.parse(process.argv[2]) as SendingPlan)
}
