import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { Level } from 'level'
import { takeWebLock, type WebLocks } from '../host/web-lock.ts'
import { LevelStore } from './index.ts'
import { describeStore, messageOf } from './store.contract.ts'
import { KEYS, seal } from './store-records.ts'

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-store-'))
  folders.push(folder)
  return folder
}

describeStore('LevelStore', async (limits) => {
  const folder = await newFolder()
  return { next: () => new LevelStore(folder, limits) }
})

/** A store of three messages and a cursor, closed. */
async function filled(): Promise<string> {
  const folder = await newFolder()
  const store = new LevelStore(folder)
  await store.open('phone')
  await store.write({ put: [messageOf(1), messageOf(2), messageOf(3)] })
  await store.write({ cursors: [{ conv: 'g_team', delivered: 3, inHand: null }] })
  await store.close()
  return folder
}

async function change(folder: string, run: (level: Level<string, Uint8Array>) => Promise<void>) {
  const level = new Level<string, Uint8Array>(folder, { valueEncoding: 'view' })
  await run(level)
  await level.close()
}

const second = KEYS.message(2, 'phone_2')

describe('damage', () => {
  test('[ST5] a changed value is named, nothing is opened, and nothing is lost by that', async () => {
    const folder = await filled()
    await change(folder, async (level) => {
      const value = (await level.get(second))!
      value[value.length - 1]! ^= 1
      await level.put(second, value)
    })
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(new LevelStore(folder).open('phone')).rejects.toMatchObject({
        code: 'STORE_DAMAGED',
        outcome: 'unknown',
        message: expect.stringMatching(
          /message phone_2: its checksum is wrong.*setAside/,
        ) as string,
      })
    }
    const store = new LevelStore(folder, { damaged: 'setAside' })
    const { messages, cursors } = await store.open('phone')
    expect(messages).toEqual([messageOf(1), messageOf(3)])
    expect(cursors).toHaveLength(1)
    expect(store.damage).toMatchObject([{ msgId: 'phone_2', key: second }])
    await store.close()
    // Once it is out of the way the store is sound, and what was damaged is still there to look at.
    const sound = new LevelStore(folder)
    expect((await sound.open('phone')).messages).toHaveLength(2)
    await sound.close()
    await change(folder, async (level) => {
      expect(await level.get(KEYS.aside(second))).toEqual(store.damage[0]!.value)
    })
  })

  test.each([
    ['a value that is gone', (level) => level.del(second), /2 values|3 values/],
    ['a key that nothing has', (level) => level.put('y', new Uint8Array(9)), /key "y"/],
    [
      'an older value with a sound checksum',
      (level) => level.put(second, seal(second, recordWith({ state: 'sent', since: 5 })).value),
      /not the newest/,
    ],
    [
      'a value that says what cannot be',
      (level) => level.put(second, seal(second, recordWith({ since: 5 })).value),
      /phone_2: its since cannot be/,
    ],
    ['no ledger', (level) => level.del(KEYS.ledger), /the ledger: it is missing/],
    ['no format', (level) => level.del(KEYS.format), /the format: it is missing/],
    ['an empty value', (level) => level.put(KEYS.session, new Uint8Array(0)), /session: it is cut/],
  ] as [string, (level: Level<string, Uint8Array>) => Promise<void>, RegExp][])(
    '[ST5] %s is noticed',
    async (_, harm, reason) => {
      const folder = await filled()
      await change(folder, harm)
      await expect(new LevelStore(folder).open('phone')).rejects.toMatchObject({
        code: 'STORE_DAMAGED',
        message: expect.stringMatching(reason) as string,
      })
      const store = new LevelStore(folder, { damaged: 'setAside' })
      await store.open('phone')
      expect(store.damage).not.toEqual([])
      await store.write({ put: [messageOf(9)] })
      await store.close()
      const sound = new LevelStore(folder)
      expect((await sound.open('phone')).messages.at(-1)).toEqual(messageOf(9))
      await sound.close()
    },
  )

  test('[ST5] a database that LevelDB cannot open says what to do', async () => {
    const folder = await filled()
    const manifest = (await readdir(folder)).find((name) => name.startsWith('MANIFEST'))!
    const bytes = await readFile(join(folder, manifest))
    await writeFile(join(folder, manifest), bytes.fill(7))
    await expect(new LevelStore(folder).open('phone')).rejects.toMatchObject({
      code: expect.stringMatching(/^STORE_(DAMAGED|FAILED)$/) as string,
    })
  })

  test('[ST6] a store of a later format is left alone', async () => {
    const folder = await filled()
    await change(folder, (level) =>
      level.put(KEYS.format, seal(KEYS.format, { format: 99, device: 'phone' }).value),
    )
    await expect(
      new LevelStore(folder, { damaged: 'setAside' }).open('phone'),
    ).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('format 99') as string,
    })
  })
})

const recordWith = (more: object): object => {
  const { msgId: _, ...record } = messageOf(2)
  return { ...record, ...more }
}

describe('one at a time', () => {
  test('[ST7] a second client of the process gets STORE_LOCKED until the first is closed', async () => {
    const folder = await newFolder()
    const first = new LevelStore(folder)
    await first.open('phone')
    const locked = { code: 'STORE_LOCKED', retryable: true }
    await expect(new LevelStore(folder).open('phone')).rejects.toMatchObject(locked)
    await expect(first.open('phone')).rejects.toMatchObject(locked)
    await first.write({ put: [messageOf(1)] })
    await first.close()
    const second = new LevelStore(folder)
    expect((await second.open('phone')).messages).toHaveLength(1)
    await second.close()
  })

  test('[ST7] a second process does too, and gets in when the first was killed', async () => {
    const folder = await newFolder()
    const holder = fork(fileURLToPath(new URL('./store-holder.fixture.ts', import.meta.url)), [
      folder,
    ])
    await once(holder, 'message')
    await expect(new LevelStore(folder).open('phone')).rejects.toMatchObject({
      code: 'STORE_LOCKED',
    })
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    const store = new LevelStore(folder)
    expect((await store.open('phone')).messages).toEqual([messageOf(1)])
    await store.close()
  })

  test('[ST7] tabs are kept apart by a web lock', async () => {
    const held = new Set<string>()
    const locks: WebLocks = {
      request: async (name, _, run) => {
        if (held.has(name)) return run(null)
        held.add(name)
        await run({})
        held.delete(name)
      },
    }
    const release = await takeWebLock(locks, 'db')
    expect(release).not.toBeNull()
    expect(await takeWebLock(locks, 'db')).toBeNull()
    release!()
    await Promise.resolve()
    await Promise.resolve()
    expect(await takeWebLock(locks, 'db')).not.toBeNull()
  })
})
