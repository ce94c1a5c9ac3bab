import { fork, type ChildProcess } from 'node:child_process'
import fs from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cuts, newestIndex, openSmall, type Outcome } from './rotten-store.fixture.ts'
import { StoreDamagedError } from './store.ts'
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.ts'

type Examined = { outcome: Outcome } | { error: string } | { died: string }
type Rot = (bytes: Uint8Array, random: (below: number) => number) => Uint8Array | null

const fixture = new URL('./rotten-store.fixture.ts', import.meta.url)
const databasePath = 'store-000001/db'

const flipBit: Rot = (bytes, random) => {
  const at = random(bytes.length)
  return bytes.with(at, bytes[at]! ^ (1 << random(8)))
}
/** Around the keys of objects, where rot hides a value or uncovers an older one. */
const flipKeyBit: Rot = (bytes, random) => {
  const places: number[] = []
  const buffer = Buffer.from(bytes)
  for (let at = buffer.indexOf('o/'); at >= 0; at = buffer.indexOf('o/', at + 1)) places.push(at)
  if (places.length === 0) return flipBit(bytes, random)
  const at = Math.max(0, places[random(places.length)]! - 4 + random(18))
  return bytes.with(at, bytes[at]! ^ (1 << random(8)))
}
const zeroSector: Rot = (bytes, random) => {
  const at = random(bytes.length)
  return bytes.map((byte, i) => (i >= at && i < at + 512 ? 0 : byte))
}
const cutShort: Rot = (bytes, random) => bytes.subarray(0, random(bytes.length))
const removeFile: Rot = () => null

describe('rot', () => {
  let folder: TemporaryFolder
  let sound: string
  let child: ChildProcess | null = null

  beforeAll(async () => {
    folder = await temporaryFolder()
    sound = join(folder.path, 'sound')
    const directory = await openSmall(sound)
    for (const cut of cuts()) await directory.store!.checkpoint(cut)
    await directory.close()
  })
  afterAll(async () => {
    child?.kill('SIGKILL')
    await folder.remove()
  })

  /** What the store in `path` answers, asked in a process that may die of it. */
  function examine(path: string): Promise<Examined> {
    return new Promise((resolve) => {
      const stdio: ('ignore' | 'ipc')[] = ['ignore', 'ignore', 'ignore', 'ipc']
      const process = (child ??= fork(fixture, ['examine'], { stdio, execArgv: [] }))
      const onExit = (code: number | null, signal: string | null): void => {
        child = null
        process.removeAllListeners()
        resolve({ died: signal ?? String(code) })
      }
      process.once('exit', onExit)
      process.once('message', (message) => {
        process.off('exit', onExit)
        resolve(message as Examined)
      })
      process.send(path)
    })
  }

  async function filesLike(pattern: RegExp): Promise<string[]> {
    const all = await fs.readdir(sound, { recursive: true })
    return all.filter((name) => pattern.test(name)).sort()
  }

  /** Damages one file in a copy of the sound store and looks at what comes of it. */
  async function trial(pattern: RegExp, rot: Rot, seed: number): Promise<Examined> {
    let state = seed
    const random = (below: number): number => {
      state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    const copy = join(folder.path, 'rotten')
    await fs.rm(copy, { recursive: true, force: true })
    await fs.cp(sound, copy, { recursive: true })
    const files = await filesLike(pattern)
    const file = join(copy, files[random(files.length)]!)
    const bytes = rot(await fs.readFile(file), random)
    if (bytes === null) await fs.unlink(file)
    else await fs.writeFile(file, bytes)
    return examine(copy)
  }

  const isAllRight = ({ cutIndex, get, range }: Outcome): boolean =>
    cutIndex === newestIndex &&
    [get, range].every((answers) => Object.keys(answers).join() === 'right')

  it('finds the sound store sound, with tables, a log and a manifest', async () => {
    expect((await filesLike(/\.ldb$/)).length).toBeGreaterThan(2)
    expect((await filesLike(/\d\.log$/)).length).toBe(1)
    const examined = await trial(/\d\.log$/, (bytes) => bytes, 1)
    expect(examined).toMatchObject({ outcome: { damagedAtOpen: false, scrub: 'sound' } })
    expect(isAllRight((examined as { outcome: Outcome }).outcome)).toBe(true)
  })

  const kinds: [name: string, pattern: RegExp, rots: Rot[], trials: number][] = [
    ['a table', /\.ldb$/, [flipBit, flipKeyBit, zeroSector, cutShort, removeFile], 4],
    ['the log', /\d\.log$/, [flipBit, zeroSector, cutShort, removeFile], 3],
    ['the manifest', /MANIFEST/, [flipBit, zeroSector, cutShort, removeFile], 3],
    ['CURRENT', /CURRENT/, [flipBit, zeroSector, cutShort, removeFile], 2],
    ['the pointer', /current$/, [flipBit, zeroSector, cutShort, removeFile], 2],
  ]
  for (const [name, pattern, rots, trials] of kinds) {
    it(`[K3] [K5] damage to ${name} is found at open, by a StoreDamagedError`, async () => {
      for (const rot of rots) {
        for (let seed = 1; seed <= trials; seed++) {
          const examined = await trial(pattern, rot, seed * 7919)
          expect(examined, `${rot.name} ${seed}`).toMatchObject({
            outcome: { damagedAtOpen: true },
          })
        }
      }
    })
  }

  it('[K3] a seal damaged in one slot costs nothing, in both the store', async () => {
    for (let seed = 1; seed <= 4; seed++) {
      const examined = await trial(/seal$/, flipBit, seed * 7919)
      expect('outcome' in examined && isAllRight(examined.outcome)).toBe(true)
    }
    const examined = await trial(/seal$/, removeFile, 1)
    expect(examined).toMatchObject({ outcome: { damagedAtOpen: true } })
  })

  it('[K5] scrub finds rot in a table of an open store', async () => {
    const copy = join(folder.path, 'rotten')
    await fs.rm(copy, { recursive: true, force: true })
    await fs.cp(sound, copy, { recursive: true })
    const directory = await openSmall(copy)
    const table = (await fs.readdir(join(copy, databasePath))).find((name) => name.endsWith('.ldb'))
    const path = join(copy, databasePath, table!)
    const handle = await fs.open(path, 'r+')
    const byte = new Uint8Array(1)
    const at = (await handle.stat()).size >>> 1
    await handle.read(byte, 0, 1, at)
    await handle.write(Uint8Array.of(byte[0]! ^ 1), 0, 1, at)
    await handle.close()
    await expect(directory.store!.scrub()).rejects.toThrow(StoreDamagedError)
    await directory.discard()
    await directory.store!.scrub()
    await directory.close()
  })
})
