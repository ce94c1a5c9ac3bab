import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SeededBug, withBug } from './seeded-bug.ts'

export const ROOT = join(import.meta.dirname, '../..')
/** What `parley sim` runs from. */
const PARTS = ['package.json', 'cli', 'client', 'cluster', 'node', 'chaos']

/** A copy of the program, elsewhere, with a bug in it; `null`: as it is. */
export class BrokenTree {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  static async make(bug: SeededBug | null): Promise<BrokenTree> {
    const tree = new BrokenTree(await mkdtemp(join(tmpdir(), 'parley-bug-')))
    const filter = (path: string) => !path.endsWith('.test.ts')
    for (const part of PARTS) {
      await cp(join(ROOT, part), join(tree.path, part), { recursive: true, filter })
    }
    await symlink(join(ROOT, 'node_modules'), join(tree.path, 'node_modules'))
    if (bug !== null) {
      const file = join(tree.path, bug.file)
      await writeFile(file, withBug(bug, await readFile(file, 'utf8')))
    }
    return tree
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
  }
}
