import { spawn } from 'node:child_process'
import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SegmentLog } from '#cluster'
import { NodeClock } from './node-clock.ts'
import { NodeFileSystem } from './node-file-system.ts'
import { NodeRandom } from './node-random.ts'

const module = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href)

/** Appends without end, and tells each index once it is durable. */
const APPENDER = `
  import fs from 'node:fs'
  import { SegmentLog } from ${module('../../cluster/index.ts')}
  import { NodeClock } from ${module('./node-clock.ts')}
  import { NodeFileSystem } from ${module('./node-file-system.ts')}
  import { NodeRandom } from ${module('./node-random.ts')}
  const log = await SegmentLog.open({
    fileSystem: new NodeFileSystem(),
    clock: new NodeClock(),
    random: new NodeRandom(),
    directory: process.argv[1],
    segmentBytes: 65536,
  })
  if (log.formation === null) {
    const configuration = { voters: [], outgoing: [], learners: [] }
    await log.form({ clusterId: '0'.repeat(32), epoch: '1'.repeat(16), configuration })
  }
  for (;;) {
    const index = log.lastIndex() + 1
    const entries = [{ index, term: 1, type: 0, data: Buffer.from('entry ' + index) }]
    await new Promise((resolve, reject) =>
      log.append({ hardState: null, entries, snapshot: null }, (error) =>
        error === null ? resolve() : reject(error),
      ),
    )
    fs.writeSync(1, index + '\\n')
    if (index % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
`

describe('SegmentLog on a real disk', () => {
  let directory: string

  beforeEach(async () => {
    directory = await fs.mkdtemp(join(tmpdir(), 'parley-log-'))
  })

  afterEach(async () => {
    await fs.rm(directory, { recursive: true, force: true })
  })

  /** Lets a process append until it has told `least` more, then kills it. The last index it told. */
  async function appendAndKill(least: number): Promise<number> {
    const child = spawn(process.execPath, ['--input-type=module', '-e', APPENDER, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = new Promise((resolve) => child.once('exit', resolve))
    let told = ''
    await new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error('the appender ended by itself')))
      child.stdout.on('data', (part: Buffer) => {
        told += part.toString()
        if (told.split('\n').length > least) resolve()
      })
    })
    child.kill('SIGKILL')
    await ended
    return Number(told.slice(0, told.lastIndexOf('\n')).split('\n').at(-1))
  }

  it('has every acknowledged entry after kill -9, again and again (LG20)', async () => {
    let raftId: string | null = null
    for (let round = 1; round <= 3; round++) {
      const acknowledged = await appendAndKill(700)
      expect(acknowledged).toBeGreaterThanOrEqual(700 * round)
      const log = await SegmentLog.open({
        fileSystem: new NodeFileSystem(),
        clock: new NodeClock(),
        random: new NodeRandom(),
        directory,
        segmentBytes: 65_536,
      })
      raftId ??= log.raftId
      expect(log.raftId).toBe(raftId)
      // One batch may have been under way, and is whole if it is there.
      expect([acknowledged, acknowledged + 1]).toContain(log.lastIndex())
      const all = log.entries(1, log.lastIndex() + 1, Infinity)!
      expect(all.length).toBe(log.lastIndex())
      for (const { index, data } of all) expect(Buffer.from(data).toString()).toBe(`entry ${index}`)
      await log.close()
    }
  })
})
