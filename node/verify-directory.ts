import { DirectoryLockedError } from './host/directory-lock.ts'
import { holdDirectory } from './host/hold-directory.ts'
import { ReadOnlyFileSystem } from './host/read-only-file-system.ts'
import { StartError } from './data-directory.ts'
import { verifyData, type VerifyReport } from './verify/verify-data.ts'

/**
 * `verifyData` on this machine, with nodes kept out meanwhile.
 *
 * @throws StartError that is refused if a node has the directory, or nothing of a node is in it
 */
export async function verifyDirectory(directory: string): Promise<VerifyReport> {
  const fileSystem = new ReadOnlyFileSystem()
  const names = await fileSystem.list(directory)
  if (!names.includes('node.json') && !names.includes('log') && !names.includes('store')) {
    throw new StartError(
      `${directory} is no data directory of a node: it holds neither node.json nor log nor store`,
    )
  }
  let release: () => void
  try {
    release = holdDirectory(`${directory}/log`)
  } catch (error) {
    if (!(error instanceof DirectoryLockedError)) throw error
    throw new StartError(error.message, { cause: error, isRefused: true })
  }
  try {
    return await verifyData(fileSystem, directory)
  } finally {
    release()
  }
}
