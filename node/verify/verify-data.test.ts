import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Entry, SegmentLog } from '#cluster'
import { NodeClock } from '../host/node-clock.ts'
import { NodeFileSystem } from '../host/node-file-system.ts'
import { NodeRandom } from '../host/node-random.ts'
import { ReadOnlyFileSystem } from '../host/read-only-file-system.ts'
import { openDataDirectory } from '../data-directory.ts'
import { cuts, newestIndex, openSmall } from '../store/rotten-store.fixture.ts'
import { temporaryFolder, type TemporaryFolder } from '../store/temporary-folder.ts'
import { verifyData, type VerifyReport } from './verify-data.ts'

let folder: TemporaryFolder
let data: string
let sound: VerifyReport
/** Relative paths of what log and store are made of. */
let files: string[]

const verify = () => verifyData(new ReadOnlyFileSystem(), data)

async function writeLog(): Promise<void> {
  const log = await SegmentLog.open({
    fileSystem: new NodeFileSystem(),
    clock: new NodeClock(),
    random: new NodeRandom(),
    directory: `${data}/log`,
    segmentBytes: 16 * 1024,
  })
  const voter = { id: log.raftId, name: 'n1', peerAddress: '127.0.0.1:1', clientUrl: 'http://h:1' }
  const configuration = { voters: [voter], outgoing: [], learners: [] }
  await log.form({ clusterId: 'ab'.repeat(16), epoch: 'cd'.repeat(8), configuration })
  for (let index = 1; index <= newestIndex + 10; index++) {
    const entry: Entry = { index, term: 1, type: 0, data: Buffer.alloc(400, index) }
    const hardState = { term: 1, vote: log.raftId, commit: index - 1 }
    await new Promise<void>((resolve, reject) => {
      log.append({ hardState, entries: [entry], snapshot: null }, (error) =>
        error === null ? resolve() : reject(error),
      )
    })
    await new Promise((resolve) => setImmediate(resolve))
  }
  await log.close()
}

async function all(path = ''): Promise<string[]> {
  const entries = await fs.readdir(join(data, path), { withFileTypes: true })
  const found = await Promise.all(
    entries.map((entry) => {
      const name = join(path, entry.name)
      return entry.isDirectory() ? all(name) : Promise.resolve([name])
    }),
  )
  return found.flat().sort()
}

async function fingerprint(): Promise<string> {
  const hash = createHash('sha256')
  for (const name of await all()) hash.update(name).update(await fs.readFile(join(data, name)))
  return hash.digest('hex')
}

/** What is found while the file holds other bytes, or is gone. */
async function changed(name: string, change: (bytes: Buffer) => Buffer | null) {
  const path = join(data, name)
  const bytes = await fs.readFile(path)
  const other = change(Buffer.from(bytes))
  if (other === null) await fs.rm(path)
  else await fs.writeFile(path, other)
  try {
    return await verify()
  } finally {
    await fs.writeFile(path, bytes)
  }
}

/** Like a coin that falls the same way every time. */
function draws(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

beforeAll(async () => {
  folder = await temporaryFolder()
  data = join(folder.path, 'n1')
  await openDataDirectory(new NodeFileSystem(), data, 'n1')
  await writeLog()
  let stores = await openSmall(`${data}/store`)
  for (const [at, cut] of [...cuts()].entries()) {
    await stores.store!.checkpoint(cut)
    // A start turns what is in the database's log into a table.
    if (at !== 8) continue
    await stores.close()
    stores = await openSmall(`${data}/store`)
  }
  await stores.close()
  sound = await verify()
  const isData = (name: string) => /^(log\/segment|store\/current|store\/.*\/(db|seal))/.test(name)
  files = (await all()).filter((name) => isData(name) && !/\/(LOCK|LOG.*)$/.test(name))
})

afterAll(() => folder?.remove())

describe('a data directory', () => {
  it('[V2] that is sound', () => {
    expect(sound).toMatchObject({
      node: 'n1',
      findings: [],
      log: { firstIndex: 1, lastIndex: newestIndex + 10, clusterId: 'ab'.repeat(16) },
      store: { name: 'store-000001', index: newestIndex },
    })
    expect(sound.store!.tables).toBeGreaterThan(0)
    expect(sound.store!.values).toBeGreaterThan(400)
    expect(sound.log!.segments).toBeGreaterThan(1)
  })

  it('[V1] is the same after it was checked', async () => {
    const before = await fingerprint()
    await verify()
    expect(await fingerprint()).toBe(before)
  })

  it(
    '[V3] with a flipped bit anywhere: noticed, or nothing is different',
    { timeout: 240_000 },
    async () => {
      const draw = draws(5)
      let noticed = 0
      for (let round = 0; round < 120; round++) {
        const name = files[round % files.length]!
        const found = await changed(name, (bytes) => {
          if (bytes.length === 0) return bytes
          const bit = draw(bytes.length * 8)
          bytes[bit >> 3]! ^= 1 << (bit & 7)
          return bytes
        })
        if (found.findings.length === 0) expect({ name, found }).toEqual({ name, found: sound })
        else noticed += 1
      }
      expect(noticed).toBeGreaterThan(40)
    },
  )

  it('[V3] with a file cut, zeroed in part or gone', async () => {
    const draw = draws(9)
    const ways: ((bytes: Buffer) => Buffer | null)[] = [
      (bytes) => bytes.subarray(0, draw(bytes.length)),
      (bytes) => bytes.fill(0, draw(bytes.length)),
      () => null,
    ]
    for (const name of files) {
      for (const way of ways) {
        const found = await changed(name, way)
        // A newest segment that is gone looks like a log that ended before (the log's stated limit).
        if (name.startsWith('log/') && found.log !== null) continue
        if (found.findings.length === 0) expect({ name, found }).toEqual({ name, found: sound })
      }
    }
  })

  it(
    '[V3] in every block of every table and every batch of the log',
    { timeout: 240_000 },
    async () => {
      for (const name of files.filter((each) => /\.ldb$|segment-0000000001/.test(each))) {
        const { size } = await fs.stat(join(data, name))
        const end = name.endsWith('.ldb') ? size - 48 : 15_000
        for (let at = 60; at < end; at += Math.ceil(end / 12)) {
          const found = await changed(name, (bytes) => {
            bytes[at]! ^= 0x10
            return bytes
          })
          expect([name, at, found.findings.length]).toEqual([name, at, 1])
          expect(found.findings[0]!.advice).toMatch(
            name.endsWith('.ldb') ? /start the node/ : /do not start/,
          )
        }
      }
    },
  )

  it('[V2] whose parts are damaged in several places tells of each', async () => {
    const path = join(data, 'node.json')
    const label = await fs.readFile(path)
    await fs.writeFile(path, '{"format":1')
    const pointer = await fs.readFile(join(data, 'store/current'))
    await fs.writeFile(join(data, 'store/current'), 'x')
    const found = await changed(
      files.find((name) => name.startsWith('log/'))!,
      (bytes) => {
        bytes[100]! ^= 1
        return bytes
      },
    )
    await fs.writeFile(path, label)
    await fs.writeFile(join(data, 'store/current'), pointer)
    expect(found.findings.map(({ part }) => part)).toEqual(['label', 'log', 'store'])
  })

  it('[V2] [V4] whose store and log are not of one time', async () => {
    await fs.rename(join(data, 'log'), join(data, 'away'))
    const without = await verify()
    await fs.rename(join(data, 'away'), join(data, 'log'))
    expect(without.findings).toHaveLength(1)
    expect(without.findings[0]!.part).toBe('agreement')
    expect(without.findings[0]!.advice).toMatch(/members replace/)
  })

  it('[V2] of a later version is told as one', async () => {
    const found = await changed('node.json', () => Buffer.from('{"format":2,"name":"n1"}\n'))
    expect(found.findings).toMatchObject([{ part: 'label' }])
    expect(found.findings[0]!.what).toMatch(/written by a newer version/)
  })
})
