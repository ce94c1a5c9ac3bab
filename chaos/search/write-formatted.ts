import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Writes a file of the repository in the repository's format, as far as the formatter is installed. */
export async function writeFormatted(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, await formatted(path, text))
}

async function formatted(path: string, text: string): Promise<string> {
  const prettier = await import('prettier').catch(() => null)
  if (prettier === null) return text
  const options = await prettier.resolveConfig(new URL('../README.md', import.meta.url))
  return prettier.format(text, { ...options, filepath: path })
}
