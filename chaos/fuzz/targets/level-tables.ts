import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { CrashFileSystem } from '../../../cluster/log/testing/crash-file-system.ts'
import { DatabaseError } from '../../../node/store/key-value-database.ts'
import { readLiveTables } from '../../../node/store/level-manifest.ts'
import { verifyTables } from '../../../node/store/table-verifier.ts'
import { Prng } from '../../prng.ts'
import { applyScript, type Editable, makeScript } from '../edit-script.ts'
import { type Target, violated } from '../target.ts'

const DATABASE = '/data/db'
const PAIRS = 3_000
const FOOTER_BYTES = 48

interface DatabaseFile extends Editable {
  readonly name: string
  readonly sound: Buffer
}

/**
 * The files of a real LevelDB, which checks none of its tables itself. A changed byte of a live table
 * is found before anything is read from it; the footer alone has no checksum, and the manifest is
 * for LevelDB to judge.
 */
export class LevelTables implements Target {
  readonly allowedBytes = 16 << 20
  readonly #files: readonly (readonly [string, Buffer])[]
  readonly #live: ReadonlySet<string>

  private constructor(files: readonly (readonly [string, Buffer])[], live: ReadonlySet<string>) {
    this.#files = files
    this.#live = live
  }

  static async open(): Promise<LevelTables> {
    const files = await databaseFiles()
    const disk = new CrashFileSystem()
    for (const [name, bytes] of files) disk.overwrite(`${DATABASE}/${name}`, bytes)
    const tables = await readLiveTables(disk, DATABASE)
    const live = tables.map(({ number }) => `${String(number).padStart(6, '0')}.ldb`)
    if (live.length === 0) violated('the database has no table')
    return new LevelTables(files, new Set(live))
  }

  make(random: Prng): Uint8Array {
    return makeScript(random)
  }

  async judge(script: Uint8Array): Promise<string | null> {
    const files = this.#files.map(([name, sound]): DatabaseFile => {
      const end = Math.max(0, sound.length - FOOTER_BYTES - 200)
      return { name, sound, bytes: Buffer.from(sound), marks: [0, end] }
    })
    const tables = files.filter(({ name }) => this.#live.has(name))
    applyScript(script, [...files, ...tables, ...tables, ...tables])
    const disk = new CrashFileSystem()
    for (const { name, bytes } of files) {
      if (bytes !== null) disk.overwrite(`${DATABASE}/${name}`, bytes)
    }
    try {
      await verifyTables(disk, DATABASE, {})
    } catch (error) {
      if (error instanceof DatabaseError && error.kind === 'corrupt') return error.message
      throw error
    }
    const others = files.filter(({ name }) => !this.#live.has(name))
    if (others.every(isSound)) {
      for (const table of tables) mustBeSound(table)
    }
    return null
  }
}

/** A table that is gone may have been removed by a compaction; LevelDB finds that when it opens. */
function mustBeSound({ name, bytes, sound }: DatabaseFile): void {
  if (bytes === null) return
  const end = sound.length - FOOTER_BYTES
  if (!bytes.subarray(end, sound.length).equals(sound.subarray(end))) return
  if (!bytes.subarray(0, end).equals(sound.subarray(0, end))) {
    violated(`a changed byte of ${name} is not found`)
  }
}

const isSound = ({ bytes, sound }: DatabaseFile): boolean => bytes?.equals(sound) === true

async function databaseFiles(): Promise<(readonly [string, Buffer])[]> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-fuzz-'))
  try {
    for (let life = 0; life < 2; life++) {
      const database = new Level<Buffer, Buffer>(folder, {
        keyEncoding: 'buffer',
        valueEncoding: 'buffer',
        compression: false,
      })
      await database.open()
      const random = new Prng(`level ${life}`)
      for (let at = 0; at < PAIRS; at++) {
        await database.put(Buffer.from(`${life}/key ${at}`), Buffer.from(random.bytes(8)))
      }
      await database.close()
    }
    const names = (await readdir(folder)).toSorted()
    const kept = names.filter((name) => /^(CURRENT|MANIFEST-\d+|\d+\.ldb)$/.test(name))
    const read = kept.map(async (name) => [name, await readFile(join(folder, name))] as const)
    return await Promise.all(read)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
