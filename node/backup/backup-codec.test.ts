import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { BackupError } from './backup-error.ts'
import { STATE_KEY } from '../state-machine/keys.ts'
import { encodeSnapshot } from '../state-machine/snapshot-codec.ts'
import { message } from '../state-machine/testing.ts'
import { encodeBackup } from './backup-codec.ts'
import { checkBackup } from './read-backup.ts'
import {
  backupsOf,
  bytesOf,
  OLD_FORMATION,
  pieces,
  sampleBackup,
  sampleMachine,
} from './testing.ts'

const FORMAT_1 = fileURLToPath(new URL('./testdata/format-1.backup', import.meta.url))

let whole: Buffer
beforeAll(async () => {
  whole = await sampleBackup(await sampleMachine())
})

const check = (bytes: Uint8Array, size?: number) => checkBackup(() => pieces(bytes, size))
const faultOf = async (bytes: Uint8Array): Promise<string> => {
  const failure = await check(bytes, 100_000).catch((error: unknown) => error)
  return failure instanceof BackupError ? failure.fault : `no BackupError: ${String(failure)}`
}

test('[BK1] it names the cut that it holds, with everything that was applied at the call', async () => {
  const machine = await sampleMachine(57)
  const backups = backupsOf(machine)
  const opened = await backups.open()
  expect(opened!.manifest).toMatchObject({
    ...{ clusterId: OLD_FORMATION.clusterId, epoch: OLD_FORMATION.epoch },
    ...{ index: 57, term: 1, logTimeMs: 57, node: 'n2', version: '1.2.3' },
    stateHash: machine.machine.reader.stateHash,
    configuration: OLD_FORMATION.configuration,
  })
  expect(await backups.open()).toBeNull()
  // What comes now is not in it, and changes nothing of it.
  const before = await sampleBackup(await sampleMachine(57))
  for (let n = 58; n <= 70; n += 1) {
    await machine.write(n, message({ user: 'ann', to: 'bob', msgId: `late${n}` }))
  }
  await machine.machine.checkpoint()
  expect(await bytesOf(opened!.chunks)).toEqual(before)
  await opened!.close()
  await opened!.close()
  expect(backups.ended.complete.value).toBe(1)
  const next = await backups.open()
  expect(next!.manifest.index).toBe(70)
  await next!.close()
  expect(backups.ended.cutOff.value).toBe(1)
})

test('[BK1] a store that cannot be read leaves the way free for the next backup', async () => {
  const machine = await sampleMachine()
  let store: typeof machine.directory.store = null
  const backups = backupsOf(machine, { store: () => store })
  await expect(backups.open()).rejects.toThrow('thrown its store away')
  store = machine.directory.store
  const opened = await backups.open()
  expect(opened).not.toBeNull()
  await opened!.close()
})

describe('a file', () => {
  test('[BK3] is read in pieces of any size', async () => {
    const all = await check(whole, 1_000_000)
    for (const size of [1, 7, 16, 4_096]) expect(await check(whole, size)).toEqual(all)
    expect(all.pairs).toBeGreaterThan(50)
  })

  test('[BK3] cut off anywhere it is no backup', async () => {
    for (let length = 1; length < whole.length; length += length < 700 ? 1 : 97) {
      expect(await faultOf(whole.subarray(0, length)), `${length} bytes`).toBe('truncated')
    }
    expect(await faultOf(whole.subarray(0, whole.length - 1))).toBe('truncated')
    expect(await faultOf(Buffer.alloc(0))).toBe('foreign')
  })

  test('[BK3] with any byte changed it is refused', async () => {
    for (let at = 0; at < whole.length; at += at < 700 ? 1 : 41) {
      const changed = Buffer.from(whole)
      changed[at]! ^= 1 << (at % 8)
      // A length that grew makes it look cut off, its first line is what says that it is one.
      expect(await faultOf(changed), `byte ${at}`).toMatch(/^(damaged|truncated|foreign|newer)$/)
    }
    expect(await faultOf(Buffer.concat([whole, Buffer.from([0])]))).toBe('damaged')
  })

  test('[BK3] of another kind or a newer version it is told apart', async () => {
    expect(await faultOf(Buffer.from('SQLite format 3\0and so on and on and on'))).toBe('foreign')
    expect(await faultOf(Buffer.from('x'))).toBe('foreign')
    const newer = Buffer.from('parley backup 27\nwhatever that may be, it is longer than this')
    expect(await faultOf(newer)).toBe('newer')
  })
})

test('[BK3] a whole file with a state of a newer version is refused before anything is written', async () => {
  const cut = { index: 60, term: 1 }
  const manifest = (await check(whole)).manifest
  const pairs = async function* () {
    yield { key: STATE_KEY, value: Buffer.from([200, 1, 2, 3]) }
  }
  const newer = await bytesOf(encodeBackup(manifest, encodeSnapshot(cut, pairs())))
  expect(await faultOf(newer)).toBe('newer')
  const none = async function* () {
    yield { key: Buffer.from('b'), value: Buffer.from([1]) }
  }
  expect(await faultOf(await bytesOf(encodeBackup(manifest, encodeSnapshot(cut, none()))))).toBe(
    'damaged',
  )
})

test('[BK8] the committed file of format 1 is read', async () => {
  // Made once; it is never made anew: PARLEY_MAKE_FIXTURES=1 vitest run node/backup
  if (process.env['PARLEY_MAKE_FIXTURES'] === '1') {
    writeFileSync(FORMAT_1, await sampleBackup(await sampleMachine(30)), { flag: 'wx' })
  }
  const { manifest, pairs } = await check(readFileSync(FORMAT_1))
  expect(pairs).toBe(108)
  expect(manifest).toMatchObject({ index: 30, node: 'n2', version: '1.2.3' })
})
