/**
 * Run as a child process by `receiving-crashes.ci.test.ts`: an application that follows all its
 * conversations from where the life before it ended, until it dies where it is told to.
 */
import { writeSync } from 'node:fs'
import { ChatClient, type ClientFailpoint, type ClientStore, defaultPorts } from '#client'
import { LevelStore } from '#client/store'
import { tracedPorts } from './traced-ports.ts'
import { endWithParent } from '../processes/run-child.ts'

export interface ReceivingPlan {
  readonly url: string
  readonly user: string
  readonly store: string
  /** How often each push and each page is handed to the SDK. */
  readonly copies: number
  /**
   * Dies the count-th time that it gets there, or when the application has `count` events; at `disk`
   * half a second after the disk was given events, none of which it has written by then. Where an
   * inbox is written, only what has events counts.
   */
  readonly dies: { readonly at: ClientFailpoint | 'handler' | 'disk'; readonly count: number }
}

/** What it says, a line of JSON each, written before it does anything else. */
export type ReceivingLine =
  | { readonly is: 'ready' }
  | { readonly is: 'pushed'; readonly seq: number }
  | { readonly is: 'page'; readonly inboxes: readonly number[] }
  | { readonly is: 'shown'; readonly seq: number; readonly redelivered: boolean }

const say = (line: ReceivingLine): void => void writeSync(1, `${JSON.stringify(line)}\n`)

function die(): void {
  process.kill(process.pid, 'SIGKILL')
  // The signal may take a moment, and nothing may be done in it.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

/** A store whose disk takes events and never writes them, nor anything that comes behind them. */
function hanging(store: ClientStore): ClientStore {
  let hangs = false
  return {
    keepsEvents: store.keepsEvents,
    open: (device) => store.open(device),
    write: (change) => {
      const isHanging = hangs || (change.events ?? []).length > 0
      if (!isHanging) return store.write(change)
      if (!hangs) setTimeout(die, 500)
      hangs = true
      return new Promise(() => {})
    },
    close: () => store.close(),
  }
}

async function live({ url, user, store, copies, dies }: ReceivingPlan): Promise<void> {
  let left = dies.count
  let hasCome = false
  const hit = (name: string): void => {
    if (name !== dies.at || (name.startsWith('inbox.') && !hasCome)) return
    hasCome = false
    left -= 1
    if (left === 0) die()
  }
  const isReceived = ({ t }: { t: string }) => t === 'msg:N' || t === 'sync:A' || t === 'pull:A'
  const ports = tracedPorts(
    defaultPorts(),
    ({ way, frame }) => {
      if (way === 'out') return
      if (frame.t === 'msg:N' && 'kind' in frame) {
        hasCome = true
        say({ is: 'pushed', seq: frame['seq'] as number })
      }
      const events = frame['events'] as { inbox: number }[] | undefined
      if (frame.t !== 'sync:A' || events === undefined || events.length === 0) return
      hasCome = true
      say({ is: 'page', inboxes: events.map(({ inbox }) => inbox) })
    },
    (frames) => (frames.some(isReceived) ? copies : 1),
  )
  const chat = await ChatClient.connect({
    ...{ urls: [url], user, device: `${user}-device`, ackBatch: 1 },
    store: dies.at === 'disk' ? hanging(new LevelStore(store)) : new LevelStore(store),
    ports: { ...ports, failpoints: { hit } },
  })
  say({ is: 'ready' })
  for await (const { seq, redelivered } of chat.messages({ after: 'cursor' })) {
    say({ is: 'shown', seq, redelivered })
    hit('handler')
  }
}

if (process.argv[2] !== undefined) {
  endWithParent()
  await live(JSON.parse(process.argv[2]) as ReceivingPlan)
}
