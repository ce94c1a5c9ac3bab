import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StartError } from '../data-directory.ts'
import type { NodeData } from '../node-data.ts'
import { STATE_KEY } from '../state-machine/keys.ts'
import { type TemporaryFolder, temporaryFolder } from '../store/temporary-folder.ts'
import { EndingFileSystem } from './ending-file-system.ts'
import type { RestoreTarget } from './restore.ts'
import {
  close,
  open,
  pieces,
  realPorts,
  restored,
  sampleBackup,
  sampleMachine,
  targetsIn,
} from './testing.ts'
import { verifyBackup } from './verify-backup.ts'

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder.remove())

const targetsOf = (...names: string[]) => targetsIn(folder.path, names)

/** Everything but what a cut says of itself. */
async function contentOf(store: NodeData['stores']['store']): Promise<string[]> {
  const snapshot = await store!.snapshot()
  const content: string[] = []
  for await (const { key, value } of snapshot.pairs()) {
    if (Buffer.compare(key, STATE_KEY) === 0) continue
    content.push(`${Buffer.from(key).toString('hex')} ${Buffer.from(value).toString('hex')}`)
  }
  await snapshot.close()
  return content
}

describe('a new cluster', () => {
  test.each([1, 3, 5])('[BK4] [BK5] of %i members holds what the backup does', async (size) => {
    const machine = await sampleMachine()
    const bytes = await sampleBackup(machine)
    const targets = targetsOf(...['a', 'b', 'c', 'd', 'e'].slice(0, size))
    const { clusterId, epoch, index } = await restored(bytes, targets)
    const content = await contentOf(machine.directory.store)
    const ids = new Set<string>()
    const hashes = new Set<string>()
    for (const target of targets) {
      const data = await open(target)
      const { log, stateMachine, stores } = data
      expect(log.formation).toMatchObject({ clusterId, epoch })
      const voters = log.formation!.configuration.voters
      expect(voters.map(({ name }) => name)).toEqual(targets.map(({ name }) => name))
      expect(voters.find(({ name }) => name === target.name)?.id).toBe(log.raftId)
      expect(log.hardState).toMatchObject({ term: 2, vote: '', commit: index })
      expect([log.lastIndex(), stateMachine.appliedIndex]).toEqual([index, index])
      expect(index).toBe(machine.machine.appliedIndex + 1)
      const source = await stateMachine.openSnapshot()
      expect(source.meta.configuration).toEqual(log.formation!.configuration)
      await source.close()
      // The dedupe table's own cut is written anew: an empty one.
      const now = await contentOf(stores.store)
      expect(content.filter((pair) => !now.includes(pair))).toEqual([])
      ids.add(log.raftId)
      hashes.add(stateMachine.reader.stateHash)
      await close(data)
    }
    expect([ids.size, hashes.size]).toEqual([size, 1])
  })

  test('[BK4] has another identity each time', async () => {
    const bytes = await sampleBackup(await sampleMachine(20))
    const one = await restored(bytes, targetsOf('a'))
    const other = await restored(bytes, targetsOf('b'))
    expect(one.epoch).not.toBe(other.epoch)
    expect(one.clusterId).not.toBe(other.clusterId)
    expect([one.epoch, other.epoch]).not.toContain(one.manifest.epoch)
  })

  test('[BK7] is not written where anything is', async () => {
    const bytes = await sampleBackup(await sampleMachine(20))
    const [a, b] = targetsOf('a', 'b') as [RestoreTarget, RestoreTarget]
    await mkdir(b.directory)
    await writeFile(join(b.directory, 'precious'), 'x')
    await expect(restored(bytes, [a, b])).rejects.toThrow('is not empty (precious)')
    expect(await readdir(folder.path)).toEqual(['b'])
  })
})

test('[BK6] ended anywhere, the directory is empty, refused, or the new member', async () => {
  const bytes = await sampleBackup(await sampleMachine(20))
  const whole = new EndingFileSystem(Infinity)
  await restored(bytes, targetsOf('whole'), whole)
  const outcomes = new Set<string>()
  // Each of the last, where the directory changes; some of those before.
  const ends = Array.from({ length: whole.operations }, (_, at) => at)
  for (const end of ends.filter((at) => at % 20 === 0 || at > whole.operations - 16)) {
    const [target] = targetsOf(`m${end}`) as [RestoreTarget]
    const ending = new EndingFileSystem(end)
    await expect(restored(bytes, [target], ending)).rejects.toThrow('the process ended')
    const outcome = await open(target).then(
      async (data) => {
        const { appliedIndex } = data.stateMachine
        expect(appliedIndex === 0).toBe(data.log.formation === null)
        await close(data)
        return appliedIndex === 0 ? 'empty' : `at ${appliedIndex}`
      },
      (error: unknown) => {
        expect(error).toBeInstanceOf(StartError)
        expect((error as Error).message).toContain('run parley restore again')
        return 'refused'
      },
    )
    outcomes.add(outcome)
  }
  expect([...outcomes]).toEqual(['empty', 'refused', 'at 21'])
})

test('[BK2] what is verified was loaded and is of the moment that it says', async () => {
  const machine = await sampleMachine()
  const bytes = await sampleBackup(machine)
  const file = () => pieces(bytes, 10_000)
  const verified = await verifyBackup(realPorts(), file, join(folder.path, 'one'))
  expect(verified).toMatchObject({
    manifest: { index: 60, stateHash: machine.machine.reader.stateHash },
    events: machine.machine.reader.feedHead,
  })
  expect(verified.events).toBeGreaterThan(50)
  const again = await verifyBackup(realPorts(), file, join(folder.path, 'two'))
  expect(again.contentHash).toBe(verified.contentHash)
})
