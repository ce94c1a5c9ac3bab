import { statfs } from 'node:fs/promises'
import type { DiskSpace } from '../node-settings.ts'

/** Asks the operating system; rejects if the path is not there. */
export async function diskSpace(path: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize } = await statfs(path)
  return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize }
}
