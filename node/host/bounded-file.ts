import { readFile, stat } from 'node:fs/promises'

/** Of a file with keys or certificates; a longer one is something else. */
export const MAX_KEY_FILE_BYTES = 256 * 1024

/** The text of a small file. Rejects if it is longer than `maxBytes`. */
export async function readBounded(path: string, maxBytes = MAX_KEY_FILE_BYTES): Promise<string> {
  const { size } = await stat(path)
  if (size > maxBytes) {
    throw new Error(`it is longer than ${maxBytes} bytes`)
  }
  return readFile(path, 'utf8')
}
