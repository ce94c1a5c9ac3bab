/**
 * Run as a child process by `rot.test.ts`: opens stores that somebody damaged and tells what they
 * answer. In a process of its own, because LevelDB ends the process over some damage.
 */
import { NodeClock } from '../host/node-clock.ts'
import { NodeFileSystem } from '../host/node-file-system.ts'
import { defaultLevelTuning, LevelDatabaseFactory } from './level-database.ts'
import { openStoreDirectory } from './store-directory.ts'
import { StoreDamagedError, type Cut, type Put, type Store, type StoreDirectory } from './store.ts'

export const newestIndex = 120

/** What one answer was. `older` is a value that a later cut replaced, `other` was never written. */
export type Answer = 'right' | 'damaged' | 'absent' | 'older' | 'other'

export interface Outcome {
  readonly damagedAtOpen: boolean
  readonly cutIndex: number | null
  /** How many of the keys were answered which way. */
  readonly get: Partial<Record<Answer, number>>
  readonly range: Partial<Record<Answer, number>>
  readonly scrub: 'sound' | 'damaged'
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** Small buffers, so that a small store has tables, a log and a manifest with a past. */
export function openSmall(path: string): Promise<StoreDirectory> {
  const fileSystem = new NodeFileSystem()
  const tuning = { ...defaultLevelTuning, writeBufferSize: 128 << 10, maxFileSize: 1 << 20 }
  return openStoreDirectory({
    fileSystem,
    clock: new NodeClock(),
    databases: new LevelDatabaseFactory(fileSystem, tuning),
    directory: path,
  })
}

/** Twelve cuts, the same at every call: many values early, so that the last cuts are small. */
export function* cuts(): Generator<Cut> {
  let state = 1
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  let values = 0
  for (let number = 1; number <= newestIndex / 10; number++) {
    const ahead: Put[] = Array.from({ length: number > 9 ? 4 : 40 }, () => ({
      key: text(`v/${String(values++).padStart(6, '0')}`),
      value: Uint8Array.from({ length: 3000 + random(3000) }, () => random(256)),
    }))
    const names = new Set(Array.from({ length: 60 }, () => `o/${random(300)}`))
    const objects = [...names].map((name) => ({
      key: text(name),
      value: text(`${name} as of ${number} ${'x'.repeat(random(200))}`),
    }))
    yield { index: number * 10, term: 1, ahead, objects }
  }
}

/** Per key all values it ever had, the newest last. */
export function history(): Map<string, Uint8Array[]> {
  const values = new Map<string, Uint8Array[]>()
  for (const { ahead, objects } of cuts()) {
    for (const { key, value } of [...ahead, ...objects]) {
      const name = Buffer.from(key).toString('latin1')
      values.set(name, [...(values.get(name) ?? []), value!])
    }
  }
  return values
}

function judge(values: readonly Uint8Array[] | undefined, found: Uint8Array): Answer {
  const isFound = (value: Uint8Array): boolean => Buffer.compare(value, found) === 0
  if (values === undefined || !values.some(isFound)) return 'other'
  return isFound(values.at(-1)!) ? 'right' : 'older'
}

async function ask(store: Store): Promise<Pick<Outcome, 'get' | 'range' | 'scrub'>> {
  const written = history()
  const get: Partial<Record<Answer, number>> = {}
  const range: Partial<Record<Answer, number>> = {}
  const count = (into: Partial<Record<Answer, number>>, answer: Answer): void => {
    into[answer] = (into[answer] ?? 0) + 1
  }
  for (const [name, values] of written) {
    try {
      const found = await store.get(text(name))
      count(get, found === null ? 'absent' : judge(values, found))
    } catch (error) {
      if (!(error instanceof StoreDamagedError)) throw error
      count(get, 'damaged')
    }
  }
  try {
    const left = new Set(written.keys())
    for await (const { key, value } of store.range(Uint8Array.of(1), Uint8Array.of(255))) {
      const name = Buffer.from(key).toString('latin1')
      left.delete(name)
      count(range, judge(written.get(name), value))
    }
    if (left.size > 0) range.absent = left.size
  } catch (error) {
    if (!(error instanceof StoreDamagedError)) throw error
    count(range, 'damaged')
  }
  try {
    await store.scrub()
    return { get, range, scrub: 'sound' }
  } catch (error) {
    if (!(error instanceof StoreDamagedError)) throw error
    return { get, range, scrub: 'damaged' }
  }
}

async function examine(path: string): Promise<Outcome> {
  const directory = await openSmall(path)
  const { store } = directory
  const cutIndex = store?.cut?.index ?? null
  const answers =
    store === null ? { get: {}, range: {}, scrub: 'sound' as const } : await ask(store)
  await directory.close()
  return { damagedAtOpen: directory.damaged !== null, cutIndex, ...answers }
}

if (process.send !== undefined && process.argv[2] === 'examine') {
  process.on('message', (path: string) => {
    examine(path).then(
      (outcome) => process.send!({ outcome }),
      (error: unknown) => process.send!({ error: String((error as Error).stack) }),
    )
  })
}
