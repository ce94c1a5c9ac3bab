import { describe, expect, test } from 'vitest'
import { MemoryStoreDirectory } from '../store/memory-store-directory.ts'
import { groupConversationId } from './conversation-id.ts'
import { batch, create, Machine, message, operation } from './testing.ts'

const MEMBERS = 100_000
const PER_ENTRY = 200
const conv = groupConversationId('owner', 'g')
const say = (n: number) => message({ user: 'owner', conv, msgId: `m${n}`, body: 'x'.repeat(200) })

/** A group of `members`, and what it costs. */
class Group {
  readonly m: Machine
  readonly directory: MemoryStoreDirectory
  #sent = 0

  private constructor(m: Machine, directory: MemoryStoreDirectory) {
    this.m = m
    this.directory = directory
  }

  static async of(members: number): Promise<Group> {
    const directory = new MemoryStoreDirectory()
    const unlimited = { checkpointBytes: Infinity, checkpointIdleMs: 2 ** 30, dirtyBytes: Infinity }
    const m = await Machine.open({ directory, limits: unlimited })
    // What a gateway without sessions does with a large conversation: nothing for each member.
    m.machine.listen({ onResult: () => {}, onEvent: () => {}, onApplied: () => {} })
    await m.one(1, create({ user: 'owner', msgId: 'g' }))
    for (let n = 1; n < members; n += PER_ENTRY) {
      const adds = Array.from({ length: Math.min(PER_ENTRY, members - n) }, (_, at) => add(n + at))
      m.machine.apply(batch(m.machine.appliedIndex + 1, 1, adds))
    }
    m.machine.logPersisted(m.machine.appliedIndex)
    await m.machine.checkpoint()
    return new Group(m, directory)
  }

  /** Time in µs and bytes of the log, for each of so many messages. */
  async send(count: number): Promise<{ us: number; logBytes: number }> {
    const { machine } = this.m
    const commands = Array.from({ length: count }, () => say((this.#sent += 1)))
    const entry = batch(machine.appliedIndex + 1, 1, commands)
    const beforeMs = performance.now()
    const wait = machine.prefetch(entry)
    if (wait !== null) await wait
    machine.apply(entry)
    const us = ((performance.now() - beforeMs) * 1_000) / count
    machine.logPersisted(entry.index)
    return { us, logBytes: entry.data.length / count }
  }

  /** Bytes that a cut writes after `change`. */
  async written(change: () => Promise<unknown>): Promise<number> {
    await this.m.machine.checkpoint()
    const { store } = this.directory
    const checkpoint = store.checkpoint.bind(store)
    let bytes = 0
    store.checkpoint = (cut) => {
      const counted = function* (puts: typeof cut.objects) {
        for (const put of puts) {
          bytes += put.key.length + (put.value?.length ?? 0)
          yield put
        }
      }
      return checkpoint({ ...cut, ahead: counted(cut.ahead), objects: counted(cut.objects) })
    }
    await change()
    await this.m.machine.checkpoint()
    store.checkpoint = checkpoint
    return bytes
  }
}

const add = (n: number) =>
  operation(
    { user: 'owner', conv, msgId: `a${n}` },
    { op: 'add', member: `user${n}`, role: 'member' },
  )

describe('a group of 100,000', () => {
  test('[B3] a message costs no more than twice what it costs in a group of ten, in log, store and apply', async () => {
    const small = await Group.of(10)
    const large = await Group.of(MEMBERS)
    const { reader } = large.m.machine
    expect(await reader.conversation(conv)).toMatchObject({ memberCount: MEMBERS, large: true })
    // The quickest of many short rounds in turn: what else the machine does is in the others.
    let ofSmall = await small.send(1_000)
    let ofLarge = await large.send(1_000)
    for (let round = 0; round < 20; round += 1) {
      const [one, other] = [await small.send(1_000), await large.send(1_000)]
      if (one.us < ofSmall.us) ofSmall = one
      if (other.us < ofLarge.us) ofLarge = other
    }
    expect(ofLarge.logBytes).toBeLessThan(1.01 * ofSmall.logBytes)
    expect(ofLarge.us).toBeLessThan(2 * ofSmall.us)
    const bytes = async (group: Group) => group.written(() => group.send(1_000))
    expect(await bytes(large)).toBeLessThan(2 * (await bytes(small)))
    // One who goes, or comes, is written with his neighbours, not with all.
    const remove = operation(
      { user: 'owner', conv, msgId: 'r' },
      { op: 'remove', member: 'user50000' },
    )
    expect(await large.written(() => large.m.one(2, remove))).toBeLessThan(4_000)
    expect(await large.written(() => large.m.one(2, add(MEMBERS)))).toBeLessThan(4_000)

    // After a restart, with nothing in memory.
    const directory = large.directory.reopened()
    const again = await Machine.open({ directory })
    expect(again.machine.reader.stateHash).toBe(reader.stateHash)
    const heads = await again.machine.reader.largeHeads('user99999')
    expect(heads).toEqual([{ conv, seq: MEMBERS + 22_002 }])
    for (const after of [0, 4_095, 50_000, MEMBERS]) {
      const page = (await again.machine.reader.eventsAfter(conv, 'owner', after, 3))!
      expect(page.events.map(({ seq }) => seq)).toEqual([after + 1, after + 2, after + 3])
    }
    expect(await again.machine.reader.isMember(conv, 'user50000')).toBe(false)
    expect(await again.one(3, say(0))).toMatchObject({ ok: true, inbox: null })
  })
})
