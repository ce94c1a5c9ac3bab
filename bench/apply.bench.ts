/**
 * What one message costs in apply, and what a hundred thousand conversations cost in memory.
 *
 *     node --expose-gc bench/apply.bench.ts [messages]
 */
import { cpus } from 'node:os'
import { execFileSync } from 'node:child_process'
import type { Clock, Entry } from '#cluster'
import { MemoryStoreDirectory } from '../node/store/memory-store-directory.ts'
import { encodeBatch } from '../node/state-machine/batch-codec.ts'
import { encodeCommand } from '../node/state-machine/command-codec.ts'
import { CommandKind } from '../node/state-machine/commands.ts'
import { ParleyStateMachine } from '../node/state-machine/state-machine.ts'

const BODY = Buffer.alloc(256, 0x61)
const PER_ENTRY = 100
const messages = Number(process.argv[2] ?? 500_000)

const clock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return { cancel: () => clearTimeout(timer) }
  },
  defer: (run) => void setImmediate(run),
}

async function open(listens: boolean): Promise<ParleyStateMachine> {
  const machine = await ParleyStateMachine.open({
    directory: new MemoryStoreDirectory(),
    clock,
    random: { uint32: () => 7, bytes: (length) => new Uint8Array(length) },
    configuration: () => ({ voters: [], outgoing: [], learners: [] }),
    onFailure: (error) => {
      throw error
    },
    // The store in memory would count as the machine's: it is left out of these figures.
    limits: { checkpointBytes: Infinity, checkpointIdleMs: 2 ** 30, dirtyBytes: Infinity },
  })
  let told = 0
  if (listens) {
    machine.listen({
      onResult: () => (told += 1),
      onEvent: (_conversation, event) => (told += event.seq),
      onApplied: () => (told += 1),
    })
  }
  return machine
}

function entry(index: number, conversations: number, withPrev: boolean): Entry {
  const commands: Uint8Array[] = []
  for (let i = 0; i < PER_ENTRY; i += 1) {
    const n = (index - 1) * PER_ENTRY + i
    const at = n % conversations
    const message = { kind: CommandKind.message, origin: 1, request: n, device: 'phone1' } as const
    const previous = n - conversations
    const prev = withPrev && previous >= 0 ? `phone1_${previous}_mfx1a2b3` : null
    commands.push(
      encodeCommand({
        ...message,
        user: `user${at}`,
        to: `peer${at}`,
        conv: null,
        msgId: `phone1_${n}_mfx1a2b3`,
        prev,
        since: null,
        replyTo: null,
        large: false,
        body: BODY,
      }),
    )
  }
  return {
    index,
    term: 1,
    type: 0,
    data: encodeBatch({ logTime: index, wallTime: index }, commands),
  }
}

async function run(
  conversations: number,
  options: { readonly listens: boolean; readonly withPrev: boolean },
): Promise<void> {
  const machine = await open(options.listens)
  const count = Math.ceil(messages / PER_ENTRY)
  const times: number[] = []
  let index = 1
  for (let round = 0; round < 5; round += 1) {
    const entries: Entry[] = []
    for (; entries.length < count / 5; index += 1) {
      entries.push(entry(index, conversations, options.withPrev))
    }
    const start = performance.now()
    for (const each of entries) {
      if (machine.prefetch(each) !== null) throw new Error('everything is in memory')
      machine.apply(each)
    }
    times.push(((performance.now() - start) * 1e6) / (entries.length * PER_ENTRY))
  }
  const line = times.map((time) => time.toFixed(0)).join(' ')
  console.log(
    `${conversations} conversations, listener ${options.listens}, prev ${options.withPrev}: ns/message ${line}`,
  )
  await machine.close()
}

const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim()
console.log(`${cpus()[0]!.model} × ${cpus().length}, node ${process.version}, commit ${commit}`)
for (const conversations of [1_000, 100_000]) {
  await run(conversations, { listens: false, withPrev: false })
  await run(conversations, { listens: true, withPrev: true })
}
