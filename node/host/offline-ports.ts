import type { OfflinePorts } from '../backup/prepared-member.ts'
import { LevelDatabaseFactory } from '../store/level-database.ts'
import { NodeClock } from './node-clock.ts'
import { NodeFileSystem } from './node-file-system.ts'
import { NodeRandom } from './node-random.ts'

/** This machine, for work on directories that no node runs with. */
export function offlinePorts(): OfflinePorts {
  const fileSystem = new NodeFileSystem()
  return {
    fileSystem,
    clock: new NodeClock(),
    random: new NodeRandom(),
    databases: new LevelDatabaseFactory(fileSystem),
  }
}
