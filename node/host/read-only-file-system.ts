import fs from 'node:fs/promises'
import type { File } from '#cluster'
import { FileError } from './file-error.ts'
import { NodeFile } from './node-file.ts'
import { NodeFileSystem } from './node-file-system.ts'
import { SyncPace } from './sync-pace.ts'

/** The files of this machine for who only looks: whatever would change one fails. */
export class ReadOnlyFileSystem extends NodeFileSystem {
  override async open(path: string): Promise<File> {
    try {
      return new NodeFile(path, await fs.open(path, 'r'), new SyncPace())
    } catch (cause) {
      throw new FileError('open', path, cause)
    }
  }

  override makeDirectory(path: string): Promise<void> {
    return refuse('make', path)
  }

  override rename(from: string): Promise<void> {
    return refuse('rename', from)
  }

  override remove(path: string): Promise<void> {
    return refuse('remove', path)
  }

  override removeDirectory(path: string): Promise<void> {
    return refuse('remove', path)
  }
}

async function refuse(operation: string, path: string): Promise<never> {
  throw new FileError(operation, path, Object.assign(new Error('read-only'), { code: 'EROFS' }))
}
