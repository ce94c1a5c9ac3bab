/**
 * Run as a child process by `sdk-crash.int.test.ts`: an application that sends numbered messages and
 * follows its conversation, from where the life before it ended to its own.
 */
import { writeSync } from 'node:fs'
import { ChatClient, type ClientFailpoint, type OutgoingMessage, defaultPorts } from '#client'
import { LevelStore } from '#client/store'
import { endWithParent } from './run-child.ts'

export interface ChildPlan {
  readonly url: string
  readonly user: string
  readonly conversation: string
  readonly store: string
  /** Messages over all lives: their bodies are 1 … total. */
  readonly total: number
  /** The greatest body that an earlier life said was queued. */
  readonly queued: number
  /** Dies the count-th time it gets there. */
  readonly dies: { readonly at: ClientFailpoint; readonly count: number } | null
}

/** What it says, a line of JSON each, written before it does anything else. */
export type ChildLine =
  | { readonly is: 'restored' | 'queued'; readonly n: number; readonly msgId: string }
  | { readonly is: 'sent'; readonly n: number; readonly seq: number; readonly duplicate: boolean }
  | { readonly is: 'failed'; readonly n: number; readonly code: string }
  | { readonly is: 'shown'; readonly seq: number; readonly redelivered: boolean }

const say = (line: ChildLine): void => void writeSync(1, `${JSON.stringify(line)}\n`)

async function live(plan: ChildPlan): Promise<void> {
  let left = plan.dies?.count ?? 0
  const hit = (name: ClientFailpoint): void => {
    if (name !== plan.dies?.at || --left > 0) return
    process.kill(process.pid, 'SIGKILL')
    // The signal may take a moment, and nothing may be done in it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  }
  const chat = await ChatClient.connect({
    urls: [plan.url],
    user: plan.user,
    device: `${plan.user}-phone`,
    store: new LevelStore(plan.store),
    ports: { ...defaultPorts(), failpoints: { hit } },
  })
  const watch = (message: OutgoingMessage): void => {
    const n = message.body as number
    message.sent.then(
      ({ seq, duplicate }) => say({ is: 'sent', n, seq, duplicate }),
      (error: { code: string }) => say({ is: 'failed', n, code: error.code }),
    )
  }
  let last = plan.queued
  for (const message of chat.restored) {
    say({ is: 'restored', n: message.body as number, msgId: message.msgId })
    last = Math.max(last, message.body as number)
    watch(message)
  }
  const room = chat.conversation(plan.conversation)
  void show(room.messages({ after: 'cursor' }))
  while (last < plan.total) {
    // Some at once, so that some are always under way.
    const batch = Array.from({ length: Math.min(5, plan.total - last) }, () => {
      const message = room.send(++last)
      watch(message)
      return message
    })
    for (const message of batch) {
      await message.queued
      say({ is: 'queued', n: message.body as number, msgId: message.msgId })
    }
    await batch[0]!.sent
  }
  await chat.drain()
}

let shown = 0
async function show(messages: AsyncIterable<{ seq: number; redelivered: boolean }>): Promise<void> {
  for await (const { seq, redelivered } of messages) {
    say({ is: 'shown', seq, redelivered })
    shown += 1
  }
}

if (process.argv[2] !== undefined) {
  endWithParent()
  await live(JSON.parse(process.argv[2]) as ChildPlan)
}
