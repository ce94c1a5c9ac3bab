import { LevelDatabaseFactory } from './level-database.ts'
import { MemoryDatabaseFactory } from './memory-database.ts'
import { openStore } from './store-directory.ts'
import { describeStore, type StoreFixture } from './store.contract.ts'
import { temporaryFolder, testClock, testFileSystem } from './test-host.ts'

describeStore('LevelStore on level', async () => {
  const folder = await temporaryFolder()
  const open = async (): Promise<StoreFixture> => {
    const directory = await openStore({
      fileSystem: testFileSystem,
      clock: testClock,
      databases: new LevelDatabaseFactory(testFileSystem),
      directory: folder.path,
    })
    return {
      directory,
      // LevelDB holds a lock per process: an orderly close stands in here, real kills are elsewhere.
      crash: async () => {
        await directory.close()
        return open()
      },
      dispose: async () => {
        await directory.close()
        await folder.remove()
      },
    }
  }
  return open()
})

describeStore('LevelStore on a database in memory', async () => {
  const folder = await temporaryFolder()
  const databases = new MemoryDatabaseFactory()
  const open = async (): Promise<StoreFixture> => {
    const directory = await openStore({
      fileSystem: testFileSystem,
      clock: testClock,
      databases,
      directory: folder.path,
    })
    return {
      directory,
      crash: async () => {
        databases.crash()
        return open()
      },
      dispose: async () => {
        await directory.close()
        await folder.remove()
      },
    }
  }
  return open()
})
