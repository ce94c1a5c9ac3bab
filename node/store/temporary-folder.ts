import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TemporaryFolder {
  readonly path: string
  remove(): Promise<void>
}

/** A folder of its own for one test. */
export async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = await fs.mkdtemp(join(tmpdir(), 'parley-store-'))
  return { path, remove: () => fs.rm(path, { recursive: true, force: true }) }
}
