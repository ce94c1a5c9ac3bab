import { LevelDatabaseFactory } from './level-database.ts'
import { MemoryDatabaseFactory } from './memory-database.ts'
import { openStoreDirectory } from './store-directory.ts'
import { describeStore, type StoreFixture } from './store.contract.ts'
import { NodeClock } from '../host/node-clock.ts'
import { NodeFileSystem } from '../host/node-file-system.ts'
import { temporaryFolder } from './temporary-folder.ts'

const fileSystem = new NodeFileSystem()
const clock = new NodeClock()

describeStore('LevelStore on level', async () => {
  const folder = await temporaryFolder()
  const open = async (): Promise<StoreFixture> => {
    const directory = await openStoreDirectory({
      fileSystem,
      clock,
      databases: new LevelDatabaseFactory(fileSystem),
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
    const directory = await openStoreDirectory({
      fileSystem,
      clock,
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
