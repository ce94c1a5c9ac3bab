import { readFile, stat } from 'node:fs/promises'

/** Of a file with keys or certificates; a longer one is something else. */
export const MAX_KEY_FILE_BYTES = 256 * 1024

/** The text of a small file. Rejects if it is longer than `MAX_KEY_FILE_BYTES`. */
export async function readBounded(path: string): Promise<string> {
  const { size } = await stat(path)
  if (size > MAX_KEY_FILE_BYTES) {
    throw new Error(`it is longer than ${MAX_KEY_FILE_BYTES} bytes`)
  }
  return readFile(path, 'utf8')
}
