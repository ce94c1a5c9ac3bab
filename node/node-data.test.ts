import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Configuration, type Entry, EntryType, type Logger, NO_FAILPOINTS } from '#cluster'
import { NodeClock } from './host/node-clock.ts'
import { NodeFileSystem } from './host/node-file-system.ts'
import { NodeRandom } from './host/node-random.ts'
import { type NodeData, openNodeData } from './node-data.ts'
import type { NodePorts, NodeSettings } from './node-settings.ts'
import { Machine } from './state-machine/testing.ts'
import { MemoryDatabaseFactory } from './store/memory-database.ts'
import { temporaryFolder, type TemporaryFolder } from './store/temporary-folder.ts'

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} }
const noOp = (index: number, term: number): Entry => {
  return { index, term, type: EntryType.normal, data: new Uint8Array(0) }
}

describe('a start after a crash within the install of a snapshot', () => {
  let folder: TemporaryFolder
  const databases = new MemoryDatabaseFactory()

  const open = (): Promise<NodeData> => {
    const ports = {
      clock: new NodeClock(),
      random: new NodeRandom(),
      fileSystem: new NodeFileSystem(),
      databases,
    } as unknown as NodePorts
    const settings = {
      name: 'n1',
      dataDirectory: folder.path,
      log: { segmentBytes: 1 << 20 },
      initialMembers: [],
      foundAlone: true,
    } as unknown as NodeSettings
    const onFailure = (error: Error) => {
      throw error
    }
    return openNodeData(settings, ports, {
      logger: SILENT,
      failpoints: NO_FAILPOINTS,
      onFailure,
    })
  }

  const close = async ({ stateMachine, stores, log }: NodeData): Promise<void> => {
    await stateMachine.close()
    await stores.close()
    await log.close()
  }

  /** A log of `length` entries of term 1, of which the first two are committed. */
  const fill = async ({ log }: NodeData, length: number): Promise<void> => {
    const member = { id: log.raftId, name: 'n1', peerAddress: 'n1:1', clientUrl: 'http://n1' }
    const configuration: Configuration = { voters: [member], outgoing: [], learners: [] }
    await log.form({ clusterId: '07'.repeat(16), epoch: '07'.repeat(8), configuration })
    const entries = Array.from({ length }, (_, i) => noOp(i + 1, 1))
    const hardState = { term: 1, vote: log.raftId, commit: Math.min(2, length) }
    await new Promise<void>((resolve) =>
      log.append({ hardState, entries, snapshot: null }, () => resolve()),
    )
  }

  /** Everything of an install up to the note in the log, which the crash came before. */
  const takeOver = async ({ stateMachine }: NodeData, index: number): Promise<void> => {
    const peer = await Machine.open()
    for (let i = 1; i <= index; i += 1) await peer.apply(noOp(i, 2))
    await peer.machine.checkpoint()
    const source = await peer.machine.openSnapshot()
    const sink = await stateMachine.beginInstall(source.meta)
    const { bytes, last } = await source.read(0, 1 << 20)
    expect(last).toBe(true)
    await sink.write(bytes)
    await sink.finish()
    await sink.activate()
  }

  beforeEach(async () => {
    folder = await temporaryFolder()
  })
  afterEach(() => folder.remove())

  test.each([
    ['ends before it', 3],
    ['reaches past it with entries that no majority has', 9],
  ])('[K6] notes the snapshot in a log that %s', async (_, length) => {
    const before = await open()
    await fill(before, length)
    await takeOver(before, 5)
    await close(before)
    const { log, stateMachine, ...rest } = await open()
    expect([stateMachine.appliedIndex, stateMachine.appliedTerm]).toEqual([5, 2])
    expect([log.firstIndex(), log.lastIndex(), log.term(5)]).toEqual([6, 5, 2])
    expect(log.hardState).toMatchObject({ term: 2, commit: 5 })
    await close({ log, stateMachine, ...rest })
  })

  test('[K3] leaves a log alone that holds what the state stands at', async () => {
    const before = await open()
    await fill(before, 9)
    before.stateMachine.logPersisted(9)
    for (let i = 1; i <= 2; i += 1) before.stateMachine.apply(noOp(i, 1))
    await before.stateMachine.checkpoint()
    await close(before)
    const after = await open()
    expect(after.stateMachine.appliedIndex).toBe(2)
    expect([after.log.firstIndex(), after.log.lastIndex()]).toEqual([1, 9])
    await close(after)
  })
})
