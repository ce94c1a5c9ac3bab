import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NodeFileSystem } from '../host/node-file-system.ts'
import type { DatabaseErrorKind } from './key-value-database.ts'
import { LevelDatabaseFactory } from './level-database.ts'
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.ts'

const fileSystem = new NodeFileSystem()
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

describe('LevelDatabase', () => {
  const factory = new LevelDatabaseFactory(fileSystem)
  let folder: TemporaryFolder
  let path: string

  beforeEach(async () => {
    folder = await temporaryFolder()
    path = `${folder.path}/db`
  })
  afterEach(() => folder.remove())

  const kindOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'fine',
      (error: { kind?: DatabaseErrorKind }) => error.kind ?? 'another error',
    )

  it('[K5] tells a database that is not there from one that another owner has', async () => {
    expect(await kindOf(factory.open(path, { create: false }))).toBe('corrupt')
    const database = await factory.open(path, { create: true })
    expect(await kindOf(factory.open(path, { create: false }))).toBe('locked')
    await database.close()
    expect(await kindOf(factory.open(path, { create: true }))).not.toBe('fine')
    expect(await kindOf(database.get(text('a')))).toBe('closed')
  })

  it('[K5] a directory that may not be read is no damage', async () => {
    await fileSystem.makeDirectory(folder.path)
    const file = await fileSystem.open(path, { create: 'new' })
    await file.close()
    // A file where the directory must be: the environment is at fault, nothing is known of the store.
    expect(await kindOf(factory.open(`${path}/db`, { create: true }))).toBe('io')
  })

  it('keeps batches whole, and drops abandoned ones', async () => {
    const database = await factory.open(path, { create: true })
    const abandoned = database.batch()
    abandoned.put(text('a'), text('1'))
    await abandoned.abandon()
    const buffer = text('b')
    const batch = database.batch()
    batch.put(buffer, text('2'))
    buffer[0] = 0xff // It was copied.
    await batch.write()
    expect(await database.get(text('a'))).toBeNull()
    expect([...(await database.get(text('b')))!]).toEqual([...text('2')])
    await database.close()
  })

  it('removes a database with its directory, twice', async () => {
    await (await factory.open(path, { create: true })).close()
    await factory.remove(path)
    expect(await fileSystem.exists(path)).toBe(false)
    await factory.remove(path)
  })
})
