import { describe, expect, test } from 'vitest'
import { MemoryStoreDirectory } from '../store/memory-store-directory.ts'
import { groupConversationId } from './conversation-id.ts'
import { LevelTooHighError } from './feature-level.ts'
import { STATE_KEY } from './keys.ts'
import { create, edit, Machine, message, raise, recall, setting } from './testing.ts'

const conv = groupConversationId('alice', 'g')
const change = (user: string, msgId: string, target: number) =>
  edit({ user, msgId, conv, target, body: 'better' })

describe('the feature level', () => {
  test('[A9] a later setting changes nothing below its level, and everything from there on', async () => {
    const m = await Machine.open()
    const bound = setting({ amendWithinMs: 1_000 })
    expect(await m.one(1, bound)).toMatchObject({ ok: false, code: 'UNSUPPORTED' })
    expect(m.machine.reader.settings.amendWithinMs).toBe(0)
    expect(await m.one(2, raise(2))).toMatchObject({ ok: true, seq: 2 })
    expect(await m.one(3, bound)).toMatchObject({ ok: true })
    expect(m.machine.reader).toMatchObject({ level: 2, settings: { amendWithinMs: 1_000 } })
  })

  test('[A9] in one entry what stands behind the raise counts on it', async () => {
    const m = await Machine.open()
    const results = await m.write(1, raise(2), setting({ amendWithinMs: 5 }))
    expect(results).toMatchObject([{ ok: true }, { ok: true }])
  })

  test('[A9] it never falls, whatever comes late', async () => {
    const m = await Machine.open({ mostLevel: 3 })
    await m.write(1, raise(3), raise(2))
    expect(m.machine.reader.level).toBe(3)
  })

  test('[A9] below it the state is written as an older version reads it', async () => {
    const directory = new MemoryStoreDirectory()
    const m = await Machine.open({ directory })
    const format = async () => (await directory.store.get(STATE_KEY))![0]
    await m.one(1, setting({ groupMembers: 7 }))
    await m.machine.checkpoint()
    expect(await format()).toBe(3)
    // No trace of the setting that came later: its number would stop an older version.
    const record = Buffer.from((await directory.store.get(STATE_KEY))!)
    await m.one(2, raise(2))
    await m.machine.checkpoint()
    expect(await format()).toBe(4)
    const raised = Buffer.from((await directory.store.get(STATE_KEY))!)
    expect(raised.length - record.length).toBeLessThan(3)
    await m.machine.close()
    const again = await Machine.open({ directory })
    expect(again.machine.reader).toMatchObject({ level: 2, settings: { groupMembers: 7 } })
  })

  test('[A9] an older version stops at what it cannot do, in the log and in the store', async () => {
    const directory = new MemoryStoreDirectory()
    const old = await Machine.open({ directory, mostLevel: 1 })
    await old.one(1, create({ user: 'alice', msgId: 'g' }, 'bob'))
    await expect(old.one(2, raise(2))).rejects.toThrow(LevelTooHighError)
    expect(old.machine.appliedIndex).toBe(1)
    const late = await Machine.open({ mostLevel: 1 })
    await expect(late.one(1, setting({ amendWithinMs: 5 }))).rejects.toThrow(LevelTooHighError)

    const newer = await Machine.open({ directory: new MemoryStoreDirectory() })
    await newer.one(1, raise(2))
    await newer.machine.checkpoint()
    const open = Machine.open({ directory: newer.directory, mostLevel: 1 })
    await expect(open).rejects.toThrow(/older version after the upgrade was finalized/)
  })
})

describe('the time in which a message may be changed', () => {
  async function group(): Promise<Machine> {
    const m = await Machine.open()
    await m.write(
      1_000,
      create({ user: 'alice', msgId: 'g' }, 'bob', 'carol'),
      message({ user: 'bob', msgId: 'b1', conv }),
      message({ user: 'alice', msgId: 'a1', conv }),
    )
    await m.write(1_000, raise(2), setting({ amendWithinMs: 500 }))
    return m
  }

  test('[A9] ends for its author by log time, for all nodes at the same entry', async () => {
    const m = await group()
    expect(await m.one(1_500, change('bob', 'e1', 2))).toMatchObject({ ok: true })
    const late = await m.one(1_501, change('bob', 'e2', 2))
    expect(late).toMatchObject({ ok: false, code: 'FORBIDDEN' })
    expect(late.ok ? '' : late.message).toContain('time in which')
    const back = recall({ user: 'bob', msgId: 'r1', conv, target: 2 })
    expect(await m.one(1_502, back)).toMatchObject({ ok: false, code: 'FORBIDDEN' })
  })

  test('does not end for an owner who recalls, nor for reactions', async () => {
    const m = await group()
    const back = recall({ user: 'alice', msgId: 'r1', conv, target: 2 })
    expect(await m.one(9_000, back)).toMatchObject({ ok: true })
    expect(await m.one(9_000, change('alice', 'e1', 3))).toMatchObject({ code: 'FORBIDDEN' })
  })

  test('[A2] a refusal stays what it was when the time is made longer', async () => {
    const m = await group()
    const late = change('bob', 'e1', 2)
    expect(await m.one(2_000, late)).toMatchObject({ code: 'FORBIDDEN' })
    await m.one(2_000, setting({ amendWithinMs: 0 }))
    expect(await m.one(2_001, late)).toMatchObject({ code: 'FORBIDDEN' })
    expect(await m.one(2_001, change('bob', 'e2', 2))).toMatchObject({ ok: true })
  })
})
