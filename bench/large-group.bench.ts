/**
 * What a message costs in a group of 10, of 500 and of 100,000 members, and what it takes to grow one:
 *
 *     node --expose-gc bench/large-group.bench.ts [members]
 */
import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'
import type { Clock, Entry } from '#cluster'
import { MemoryStoreDirectory } from '../node/store/memory-store-directory.ts'
import type { Cut } from '../node/store/store.ts'
import { encodeBatch } from '../node/state-machine/batch-codec.ts'
import { encodeCommand } from '../node/state-machine/command-codec.ts'
import { CommandKind, type ConversationOperation } from '../node/state-machine/commands.ts'
import { groupConversationId } from '../node/state-machine/conversation-id.ts'
import { ParleyStateMachine } from '../node/state-machine/state-machine.ts'

const BODY = Buffer.alloc(256, 0x61)
const PER_ENTRY = 100
const largest = Number(process.argv[2] ?? 100_000)
const conv = groupConversationId('owner', 'group')

const clock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return { cancel: () => clearTimeout(timer) }
  },
  defer: (run) => void setImmediate(run),
}

/** CPU time of this thread, in ns: the machine is shared, wall time says little. */
function cpuNs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) * 1_000
}

const head = (msgId: string, user = 'owner') => {
  return { origin: 1, request: 1, user, device: 'phone', msgId, prev: null, since: null }
}

function operation(msgId: string, of: ConversationOperation): Uint8Array {
  const isNew = of.op === 'create'
  const common = { kind: CommandKind.conversation, ...head(msgId) }
  return encodeCommand({ ...common, conv: isNew ? '' : conv, operation: of })
}

function message(n: number): Uint8Array {
  const common = { kind: CommandKind.message, ...head(`m${n}`), conv, to: null }
  return encodeCommand({ ...common, replyTo: null, large: false, body: BODY })
}

async function measure(members: number): Promise<void> {
  const directory = new MemoryStoreDirectory()
  const checkpoint = directory.store.checkpoint.bind(directory.store)
  let written = 0
  let cutNs = 0
  directory.store.checkpoint = async (cut: Cut) => {
    const start = cpuNs()
    const count = function* (puts: Cut['objects']) {
      for (const put of puts) {
        written += put.key.length + (put.value?.length ?? 0)
        yield put
      }
    }
    await checkpoint({ ...cut, ahead: count(cut.ahead), objects: count(cut.objects) })
    cutNs += cpuNs() - start
  }
  const machine = await ParleyStateMachine.open({
    directory,
    clock,
    random: { uint32: () => 7, bytes: (length) => new Uint8Array(length) },
    configuration: () => ({ voters: [], outgoing: [], learners: [] }),
    onFailure: (error) => {
      throw error
    },
    settings: { groupMembers: 1_000_000 },
    limits: { checkpointBytes: Infinity, checkpointIdleMs: 2 ** 30, dirtyBytes: Infinity },
  })
  machine.listen({ onResult: () => {}, onEvent: () => {}, onApplied: () => {} })
  let index = 0
  let logBytes = 0
  const apply = async (commands: readonly Uint8Array[]): Promise<number> => {
    let spent = 0
    for (let first = 0; first < commands.length; first += PER_ENTRY) {
      index += 1
      const stamp = { logTime: index, wallTime: index }
      const data = encodeBatch(stamp, commands.slice(first, first + PER_ENTRY))
      const each: Entry = { index, term: 1, type: 0, data }
      logBytes += data.length
      const start = cpuNs()
      const wait = machine.prefetch(each)
      if (wait !== null) await wait
      machine.apply(each)
      spent += cpuNs() - start
    }
    machine.logPersisted(index)
    return spent
  }
  globalThis.gc!()
  const base = process.memoryUsage().heapUsed
  await apply([operation('group', { op: 'create', members: [], name: null, meta: null })])
  const joins: string[] = []
  let cutBytes = 0
  for (let part = 1; part <= 4; part += 1) {
    const adds: Uint8Array[] = []
    for (let n = Math.ceil(((part - 1) * members) / 4); n < (part * members) / 4; n += 1) {
      if (n === 0) continue
      adds.push(operation(`add${n}`, { op: 'add', member: `user${n}`, role: 'member' }))
    }
    const spent = await apply(adds)
    joins.push((spent / adds.length / 1_000).toFixed(1))
    written = 0
    await machine.checkpoint()
    cutBytes = written
  }
  globalThis.gc!()
  const memory = (process.memoryUsage().heapUsed - base) / members
  logBytes = 0
  const times: number[] = []
  let sent = 0
  written = 0
  cutNs = 0
  for (let round = 0; round < 5; round += 1) {
    const commands = Array.from({ length: 4_000 }, () => message((sent += 1)))
    times.push((await apply(commands)) / commands.length / 1_000)
    await machine.checkpoint()
  }
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)
  console.log(
    [
      `${members} members: µs of CPU per message ${times.map((time) => time.toFixed(1)).join(' ')}`,
      `log bytes per message ${(logBytes / sent).toFixed(0)}`,
      `store bytes per message ${(written / sent).toFixed(0)}, µs of CPU in cuts ${(cutNs / sent / 1_000).toFixed(1)}`,
      `µs per join, by quarters ${joins.join(' ')}; cut of the last quarter ${mib(cutBytes)} MiB`,
      `heap bytes per member ${memory.toFixed(0)}`,
    ].join('\n  '),
  )
  written = 0
  await apply([operation('one more', { op: 'add', member: 'late', role: 'member' })])
  await machine.checkpoint()
  console.log(`  a cut after one more join: ${written} bytes`)
  await machine.close()
}

const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim()
console.log(`${cpus()[0]!.model} × ${cpus().length}, node ${process.version}, commit ${commit}`)
for (const members of [10, 500, largest]) await measure(members)
