import { AssertionError } from '#cluster'
import { AmendmentBlock } from '../../../node/state-machine/amendments.ts'
import { CommandFormatError } from '../../../node/state-machine/command-view.ts'
import { ByteReader } from '../../../node/state-machine/byte-reader.ts'
import { ByteWriter } from '../../../node/state-machine/byte-writer.ts'
import { encodeCommand } from '../../../node/state-machine/command-codec.ts'
import { decodeConversation, membersApart } from '../../../node/state-machine/conversation-codec.ts'
import {
  directConversationId,
  groupConversationId,
} from '../../../node/state-machine/conversation-id.ts'
import { type DedupeBlock, DedupeTable } from '../../../node/state-machine/dedupe-table.ts'
import { readExtents, writeExtents } from '../../../node/state-machine/extents.ts'
import { readEntries } from '../../../node/state-machine/inbox-runs.ts'
import { KeyHash } from '../../../node/state-machine/key-hash.ts'
import { Members } from '../../../node/state-machine/members.ts'
import { ReceiptBlock } from '../../../node/state-machine/receipt-block.ts'
import { decodeRemoval, encodeRemoval } from '../../../node/state-machine/removals.ts'
import { decodeStateRecord, encodeStateRecord } from '../../../node/state-machine/state-record.ts'
import { RevocationBlock } from '../../../node/state-machine/revocations.ts'
import { StoredEvent } from '../../../node/state-machine/stored-event.ts'
import { encodeBatch } from '../../../node/state-machine/batch-codec.ts'
import { Machine } from '../../../node/state-machine/testing.ts'
import { UserInbox } from '../../../node/state-machine/user-inbox.ts'
import { decodeVerdict, encodeVerdict } from '../../../node/state-machine/verdict.ts'
import { MemoryStoreDirectory } from '../../../node/store/memory-store-directory.ts'
import { StoreDamagedError, type Pair } from '../../../node/store/store.ts'
import { Prng } from '../../prng.ts'
import { mutate } from '../mutate.ts'
import { refusalOr, type Target, violated } from '../target.ts'
import { randomCommand } from './commands.ts'

const KINDS = 'acmxedroiqkfp'

/** Reads a value of each kind; gives the bytes that say it again where there is one way to say it. */
const READERS: Readonly<Record<string, (value: Uint8Array) => Uint8Array | null>> = {
  a: (value) => encodeStateRecord(decodeStateRecord(value)),
  c: (value) => {
    const members = membersApart(value) === null ? null : new Members()
    decodeConversation('id', value, (hash) => hash.start(1, 2), new KeyHash(), members)
    return null
  },
  m: (value) => Members.decode([value]).encode(0),
  x: (value) => {
    const reader = new ByteReader(value)
    const extents = readExtents(reader)
    reader.end('a page of extents')
    const writer = new ByteWriter()
    writeExtents(writer, extents)
    return writer.toBytes()
  },
  e: (value) => {
    const chunk = Buffer.from(value)
    for (let at = 0; at < chunk.length;) {
      const { event, next } = StoredEvent.read(chunk, at, chunk.length)
      event.toEvent()
      at = next
    }
    return null
  },
  o: (value) => UserInbox.decode('user', value).encode(),
  i: (value) => {
    const reader = new ByteReader(value)
    readEntries(reader)
    reader.end('a page of an inbox')
    return null
  },
  r: (value) => encodeVerdict(decodeVerdict(value)),
  k: (value) => RevocationBlock.decode('0', value).encode(),
  f: (value) => AmendmentBlock.decode('0:id', value).encode(),
  p: (value) => encodeRemoval(decodeRemoval(value)),
  q: (value) => ReceiptBlock.decode('0:id', value).encode(),
}

/** All that a state machine writes into its store while it takes commands of every kind. */
export async function storedPairs(): Promise<readonly Pair[]> {
  const directory = new MemoryStoreDirectory()
  const limits = { chunkBytes: 300, hotBytes: 0, conversations: 2 }
  const machine = await Machine.open({ directory, limits })
  const random = new Prng('stored pairs')
  const groups = Array.from({ length: 40 }, (_, at) => groupConversationId('alice', `m${at}`))
  const conversations = [...groups, directConversationId('alice', 'bob')]
  for (let index = 1; index <= 600; index++) {
    const commands = Array.from({ length: 3 }, () =>
      encodeCommand(randomCommand(random, random.chance(0.7) ? groups.slice(0, 2) : conversations)),
    )
    const data = encodeBatch({ logTime: index, wallTime: index }, commands)
    await machine.apply({ index, term: 1, type: 0, data })
    if (index % 20 === 0) await machine.machine.checkpoint()
  }
  const pairs: Pair[] = []
  for await (const pair of directory.store.range(Buffer.from('a'), Buffer.from('z')))
    pairs.push(pair)
  await machine.machine.close()
  return pairs
}

/** Values of the state machine whose checksum was right. They are its own: what is wrong stops it. */
export class StoreValues implements Target {
  readonly allowedBytes = 4 << 20
  readonly #values: ReadonlyMap<string, readonly Uint8Array[]>

  private constructor(values: ReadonlyMap<string, readonly Uint8Array[]>) {
    this.#values = values
  }

  static async open(): Promise<StoreValues> {
    const pairs = await storedPairs()
    const kindOf = ({ key }: Pair): string => String.fromCharCode(key[0]!)
    const values = new Map(
      Array.from(KINDS, (kind) => [
        kind,
        pairs.filter((pair) => kindOf(pair) === kind).map(({ value }) => value),
      ]),
    )
    values.set('m', [membersOf(12).encode(0), membersOf(1).encode(0)])
    values.set('i', [fullPage()])
    for (const [kind, samples] of values)
      if (samples.length === 0) violated(`no ${kind} was stored`)
    return new StoreValues(values)
  }

  /** A byte for the kind, then the value. */
  make(random: Prng): Uint8Array {
    const kind = KINDS[random.below(KINDS.length)]!
    const samples = this.#values.get(kind)!
    const value = mutate(random, random.pick(samples), samples)
    return Buffer.concat([Buffer.from(kind), value])
  }

  judge(bytes: Uint8Array): string | null | Promise<string | null> {
    if (bytes[0] === 'd'.charCodeAt(0)) return judgeDedupe(bytes.subarray(1))
    const read = READERS[String.fromCharCode(bytes[0] ?? 0)] ?? READERS['a']!
    const value = bytes.subarray(1)
    const own = [AssertionError, CommandFormatError, StoreDamagedError]
    const result = refusalOr(own, () => read(value))
    if ('refusal' in result) return result.refusal
    if (result.value === null) return null
    // What was read and written again is then the same for good.
    const again = read(result.value)!
    if (Buffer.compare(again, result.value) !== 0) violated('a value comes back as another')
    return null
  }
}

async function judgeDedupe(bytes: Uint8Array): Promise<string | null> {
  async function* blocks(): AsyncGenerator<DedupeBlock> {
    yield { bytes, maxLogTime: 1 }
  }
  try {
    await new DedupeTable().load(blocks(), 1_000)
    return null
  } catch (error) {
    if (error instanceof AssertionError) return error.message
    throw error
  }
}

function fullPage(): Uint8Array {
  const inbox = new UserInbox('user')
  for (let at = 0; !inbox.take(1 + ((at >> 2) % 3), 1 + at); at++);
  return inbox.endPage()
}

function membersOf(count: number): Members {
  const members = new Members()
  for (let at = 0; at < count; at++) {
    members.join(`user${at}`, at === 0 ? 'owner' : 'member', 1 + at)
    if (at % 3 === 1) members.leave(`user${at}`, 5 + at, { logTime: 9, ord: 2, name: 'then' })
    if (at % 6 === 1) members.join(`user${at}`, 'admin', 20)
  }
  return members
}
