/**
 * What one message costs in apply, and what a hundred thousand conversations cost in memory.
 *
 *     node --expose-gc bench/apply.bench.ts [messages | memory]
 */
import { cpus } from 'node:os'
import { execFileSync } from 'node:child_process'
import type { Clock, Entry } from '#cluster'
import { MemoryStoreDirectory } from '../node/store/memory-store-directory.ts'
import type { Cut, CutPosition, StoreDirectory } from '../node/store/store.ts'
import { encodeBatch } from '../node/state-machine/batch-codec.ts'
import { encodeCommand } from '../node/state-machine/command-codec.ts'
import { CommandKind } from '../node/state-machine/commands.ts'
import { ParleyStateMachine } from '../node/state-machine/state-machine.ts'

const BODY = Buffer.alloc(256, 0x61)
const PER_ENTRY = 100
const messages = Number(process.argv[2] ?? 500_000) || 0

const clock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return { cancel: () => clearTimeout(timer) }
  },
  defer: (run) => void setImmediate(run),
}

async function open(
  listens: boolean,
  directory: StoreDirectory | null = null,
): Promise<ParleyStateMachine> {
  const machine = await ParleyStateMachine.open({
    directory: directory ?? new MemoryStoreDirectory(),
    clock,
    random: { uint32: () => 7, bytes: (length) => new Uint8Array(length) },
    configuration: () => ({ voters: [], outgoing: [], learners: [] }),
    onFailure: (error) => {
      throw error
    },
    // The store in memory would count as the machine's: it is left out of these figures.
    ...(directory === null && {
      limits: { checkpointBytes: Infinity, checkpointIdleMs: 2 ** 30, dirtyBytes: Infinity },
    }),
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

/** CPU time of this thread, in ns: the machine is shared, wall time says little. */
function cpuNs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) * 1_000
}

async function run(
  conversations: number,
  options: { readonly listens: boolean; readonly withPrev: boolean },
): Promise<void> {
  const machine = await open(options.listens)
  const count = Math.ceil(messages / PER_ENTRY)
  const times: number[] = []
  let index = 1
  const apply = (entries: readonly Entry[]): number => {
    const start = cpuNs()
    for (const each of entries) {
      if (machine.prefetch(each) !== null) throw new Error('everything is in memory')
      machine.apply(each)
    }
    return cpuNs() - start
  }
  const next = (size: number): Entry[] => {
    const entries: Entry[] = []
    for (; entries.length < size; index += 1) {
      entries.push(entry(index, conversations, options.withPrev))
    }
    return entries
  }
  const opening = apply(next(Math.ceil(conversations / PER_ENTRY))) / conversations
  for (let round = 0; round < 5; round += 1) {
    const entries = next(count / 5)
    times.push(apply(entries) / (entries.length * PER_ENTRY))
  }
  const line = times.map((time) => time.toFixed(0)).join(' ')
  const { listens, withPrev } = options
  console.log(
    `${conversations} conversations, listener ${listens}, prev ${withPrev}: ns of CPU per message ${line}; per message that opens one ${opening.toFixed(0)}`,
  )
  await machine.close()
}

/** 100,000 conversations of 20 messages over a store that keeps nothing, as a real one would be on disk. */
async function memory(): Promise<void> {
  const inner = new MemoryStoreDirectory()
  let cut: CutPosition | null = null
  let bytes = 0
  const sink = new Proxy(inner.store, {
    get: (target, name) => {
      if (name === 'cut') return cut
      if (name !== 'checkpoint') return Reflect.get(target, name, target)
      return async (made: Cut) => {
        for (const puts of [made.ahead, made.objects]) {
          for (const { key, value } of puts) bytes += key.length + (value?.length ?? 0)
        }
        await new Promise((resolve) => setImmediate(resolve))
        cut = { index: made.index, term: made.term }
      }
    },
  })
  const directory = { store: sink, damaged: null } as unknown as StoreDirectory
  const machine = await open(false, directory)
  globalThis.gc!()
  const base = process.memoryUsage().rss
  let peak = 0
  for (let index = 1; index <= 20_000; index += 1) {
    const each = entry(index, 100_000, false)
    void machine.prefetch(each)
    machine.apply(each)
    machine.logPersisted(index)
    if (index % 50 === 0) {
      await new Promise((resolve) => setImmediate(resolve))
      peak = Math.max(peak, process.memoryUsage().rss)
    }
  }
  globalThis.gc!()
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage()
  const mib = (count: number): string => `${(count / 2 ** 20).toFixed(0)} MiB`
  console.log(
    `100,000 conversations × 20 messages: RSS ${mib(rss - base)} above the base (peak ${mib(peak - base)}), heap ${mib(heapUsed)}, buffers ${mib(external + arrayBuffers)}, written to the store ${mib(bytes)}`,
    machine.statistics,
  )
  await machine.close()
}

const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim()
console.log(`${cpus()[0]!.model} × ${cpus().length}, node ${process.version}, commit ${commit}`)
if (process.argv[2] === 'memory') await memory()
else {
  for (const conversations of [1_000, 100_000]) {
    await run(conversations, { listens: false, withPrev: false })
    await run(conversations, { listens: true, withPrev: true })
  }
}
