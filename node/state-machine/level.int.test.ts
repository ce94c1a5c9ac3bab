import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { NodeClock } from '../host/node-clock.ts'
import { NodeFileSystem } from '../host/node-file-system.ts'
import { LevelDatabaseFactory } from '../store/level-database.ts'
import { openStoreDirectory } from '../store/store-directory.ts'
import type { StoreDirectory } from '../store/store.ts'
import type { Command } from './commands.ts'
import { directConversationId } from './conversation-id.ts'
import { batch, Machine, message } from './testing.ts'

const TINY = { conversations: 10, hotBytes: 50_000, verdicts: 5, checkpointBytes: 60_000 }

async function open(root: string, name: string): Promise<StoreDirectory> {
  const fileSystem = new NodeFileSystem()
  return openStoreDirectory({
    fileSystem,
    clock: new NodeClock(),
    databases: new LevelDatabaseFactory(fileSystem),
    directory: join(root, name),
  })
}

/** Ten users, each with each, every message twice, some refused. */
function commands(n: number): Command[] {
  const [user, to] = [`user${n % 10}`, `user${(n * 7 + 3) % 11}`]
  const write = message({ user, to, msgId: `m${n}`, body: `${n}`.repeat(20) })
  const earlier = n >= 200 ? commands(n - 200)[0]! : write
  return [write, earlier, message({ user, to, msgId: `bad${n}`, replyTo: 1_000_000 })]
}

test('[K3] [K4] [K6] over LevelDB on a disk: cuts, a restart, cold reads and an installed snapshot', async () => {
  const root = await mkdtemp(join(tmpdir(), 'parley-state-'))
  try {
    const memory = await Machine.open()
    const first = await open(root, 'one')
    let m = await Machine.open({ directory: first, limits: TINY })
    const entries = Array.from({ length: 1_500 }, (_, n) => batch(n + 1, n, commands(n)))
    for (const entry of entries.slice(0, 1_200)) {
      expect(await m.apply(entry)).toEqual(await memory.apply(entry))
      if (entry.index % 100 === 50) await m.machine.checkpoint()
    }
    await m.machine.close()
    await first.close()

    const again = await open(root, 'one')
    m = await Machine.open({ directory: again, limits: TINY })
    const cut = m.machine.appliedIndex
    expect(cut).toBeGreaterThan(1_000)
    for (const entry of entries.slice(cut, 1_200)) await m.apply(entry)
    for (const entry of entries.slice(1_200)) {
      expect(await m.apply(entry)).toEqual(await memory.apply(entry))
    }
    expect(m.machine.reader.stateHash).toBe(memory.machine.reader.stateHash)
    await m.machine.checkpoint()

    const source = await m.machine.openSnapshot()
    const second = await open(root, 'two')
    const other = await Machine.open({ directory: second, limits: TINY })
    const sink = await other.machine.beginInstall(source.meta)
    for (let last = false; !last;) {
      const chunk = await source.read(sink.offset, 1 << 20)
      await sink.write(chunk.bytes)
      last = chunk.last
    }
    await sink.finish()
    await sink.activate()
    await source.close()
    expect(other.machine.reader.stateHash).toBe(memory.machine.reader.stateHash)
    for (let a = 0; a < 10; a += 1) {
      for (let b = 0; b < 11; b += 1) {
        const id = directConversationId(`user${a}`, `user${b}`)
        const expected = await memory.machine.reader.eventsAfter(id, `user${a}`, 0, 1_000)
        expect(await m.machine.reader.eventsAfter(id, `user${a}`, 0, 1_000)).toEqual(expected)
        expect(await other.machine.reader.eventsAfter(id, `user${a}`, 0, 1_000)).toEqual(expected)
      }
    }
    for (const [machine, directory] of [
      [m, again],
      [other, second],
    ] as const) {
      await machine.machine.close()
      await directory.close()
    }
  } finally {
    await rm(root, { recursive: true })
  }
})
