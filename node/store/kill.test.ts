import { fork } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cutOf } from './killed-store.fixture.ts'
import { openSmall } from './rotten-store.fixture.ts'
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.ts'

const fixture = new URL('./killed-store.fixture.ts', import.meta.url)

interface Progress {
  begun: number
  acknowledged: number
}

/** Lets a child write checkpoints and kills it `afterMs` after its first one is acknowledged. */
async function writeUntilKilled(path: string, afterMs: number): Promise<Progress> {
  const progress: Progress = { begun: 0, acknowledged: 0 }
  const child = fork(fixture, ['write', path], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: [],
  })
  let errors = ''
  child.stderr!.on('data', (part: Buffer) => (errors += part.toString()))
  child.on('message', (message: Partial<Progress>) => {
    if (progress.acknowledged === 0 && message.acknowledged !== undefined) {
      setTimeout(() => child.kill('SIGKILL'), afterMs)
    }
    Object.assign(progress, message)
  })
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
  expect({ signal, errors }).toEqual({ signal: 'SIGKILL', errors: '' })
  return progress
}

/** The content after all checkpoints up to `round`. */
function contentAt(round: number): Map<string, string> {
  const content = new Map<string, string>()
  for (let number = 1; number <= round; number++) {
    const { ahead, objects } = cutOf(number)
    for (const { key, value } of [...ahead, ...objects]) {
      const name = Buffer.from(key).toString('latin1')
      if (value === null) content.delete(name)
      else content.set(name, Buffer.from(value).toString('latin1'))
    }
  }
  return content
}

describe('kill -9 during checkpoints', () => {
  let folder: TemporaryFolder

  beforeEach(async () => {
    folder = await temporaryFolder()
  })
  afterEach(() => folder.remove())

  it('[K3] leaves exactly the acknowledged cut or the one in flight', async () => {
    let newest = 0
    for (const afterMs of [0, 7, 31, 64, 90, 123]) {
      const { begun, acknowledged } = await writeUntilKilled(folder.path, afterMs)
      const directory = await openSmall(folder.path)
      expect(directory.damaged).toBeNull()
      const store = directory.store!
      const index = store.cut!.index
      expect(index).toBeGreaterThanOrEqual(acknowledged)
      // What was sent last over the channel may be lost with the process.
      expect(index).toBeLessThanOrEqual(Math.max(begun, acknowledged + 1))
      expect(index).toBeGreaterThan(newest)
      newest = index
      expect(store.previousCut?.index ?? 0).toBe(index - 1)
      const expected = contentAt(index)
      const wrong: string[] = []
      let pairs = 0
      for await (const { key, value } of store.range(Uint8Array.of(1), Uint8Array.of(255))) {
        const name = Buffer.from(key).toString('latin1')
        if (Buffer.from(value).toString('latin1') !== expected.get(name)) wrong.push(name)
        pairs++
      }
      expect(wrong).toEqual([])
      expect(pairs).toBe(expected.size)
      await directory.close()
    }
  })
})
