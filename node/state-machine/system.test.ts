import { describe, expect, test } from 'vitest'
import { StoreDamagedError } from '../store/store.ts'
import { MemoryStoreDirectory } from '../store/memory-store-directory.ts'
import { revocationsKey } from './keys.ts'
import { DEFAULT_SETTINGS, SETTINGS, SETTING_NAMES, settingsFault } from './settings.ts'
import { create, Machine, message, revoke, setting } from './testing.ts'

const ok = { ok: true, conv: '', msgId: '', seq: 0, duplicate: false }

describe('settings', () => {
  test('[A9] a command changes what it names, for every later entry, over a restart', async () => {
    const directory = new MemoryStoreDirectory()
    const m = await Machine.open({ directory })
    expect(await m.one(1, setting({ groupMembers: 2 }))).toMatchObject(ok)
    expect(await m.one(2, create({ user: 'ann', msgId: 'm1' }, 'ben', 'cy'))).toMatchObject({
      code: 'GROUP_FULL',
    })
    await m.machine.checkpoint()
    await m.machine.close()
    const again = await Machine.open({ directory, settings: { groupMembers: 7 } })
    expect(again.machine.reader.settings).toEqual({ ...DEFAULT_SETTINGS, groupMembers: 2 })
  })

  test('[A9] what lies outside the bounds is refused and changes nothing', async () => {
    const m = await Machine.open()
    for (const name of SETTING_NAMES) {
      const { least, most } = SETTINGS[name]
      for (const value of [least - 1, most + 1].filter((each) => each >= 0)) {
        const result = await m.one(1, setting({ [name]: value }))
        expect(result).toMatchObject({ ok: false, code: 'INVALID_MESSAGE' })
        expect(result.ok ? '' : result.message).toContain(`${name} must be an integer from`)
      }
    }
    expect(await m.one(1, setting({}))).toMatchObject({ ok: false, code: 'INVALID_MESSAGE' })
    expect(m.machine.reader.settings).toEqual(DEFAULT_SETTINGS)
    expect(settingsFault({ windowMs: 1.5 })).toContain('integer')
  })

  test('[A3] [A9] the start of the window never falls, however the window grows', async () => {
    const m = await Machine.open({ settings: { windowMs: 10_000 } })
    const first = message({ user: 'ann', msgId: 'm1', to: 'ben', since: 1_000 })
    expect(await m.one(1_000, first)).toMatchObject({ ok: true, seq: 1 })
    await m.one(5_000, setting({ windowMs: 1_000 }))
    expect(await m.one(5_000, first)).toMatchObject({ code: 'WINDOW_EXPIRED' })
    await m.one(5_100, setting({ windowMs: 86_400_000 }))
    expect(await m.one(5_200, first)).toMatchObject({ code: 'WINDOW_EXPIRED' })
  })
})

describe('revoked tokens', () => {
  test('[A9] are refused from the newest revocation back, by user and by device, over a restart', async () => {
    const directory = new MemoryStoreDirectory()
    const m = await Machine.open({ directory })
    expect(await m.one(1, revoke('ann', 'phone', 500))).toMatchObject(ok)
    await m.write(2, revoke('ann', 'phone', 300), revoke('ben', null, 900))
    await m.machine.checkpoint()
    await m.one(3, revoke('ann', null, 200))
    const expected = [
      ['ann', 'phone', 500],
      ['ann', 'laptop', 200],
      ['ann', null, 200],
      ['ben', 'phone', 900],
      ['cy', 'phone', 0],
    ] as const
    for (const [user, device, before] of expected) {
      expect(await m.machine.reader.revokedBefore(user, device)).toBe(before)
    }
    await m.machine.checkpoint()
    await m.machine.close()
    const again = await Machine.open({ directory })
    for (const [user, device, before] of expected) {
      expect(await again.machine.reader.revokedBefore(user, device)).toBe(before)
    }
  })

  test('[A9] of more than 100 devices become those of the user: none is forgotten', async () => {
    const m = await Machine.open()
    const devices = Array.from({ length: 101 }, (_, i) => revoke('ann', `d${i}`, 1_000 - i))
    await m.write(1, ...devices)
    expect(await m.machine.reader.revokedBefore('ann', 'd100')).toBe(1_000)
    expect(await m.machine.reader.revokedBefore('ann', null)).toBe(1_000)
  })

  test('[K5] a lost block of them is damage, not a token that works again', async () => {
    const directory = new MemoryStoreDirectory()
    const m = await Machine.open({ directory })
    await m.one(1, revoke('ann', null, 500))
    await m.machine.checkpoint()
    await m.machine.close()
    const again = await Machine.open({ directory })
    const { store } = directory
    const absent = Array.from({ length: 256 }, (_, block) => ({
      key: revocationsKey(block),
      value: null,
    }))
    await store.checkpoint({ index: 2, term: 1, ahead: [], objects: absent })
    await expect(again.machine.reader.revokedBefore('ann', null)).rejects.toThrow(StoreDamagedError)
    expect(await again.machine.reader.revokedBefore('ben', null)).toBe(0)
  })
})
