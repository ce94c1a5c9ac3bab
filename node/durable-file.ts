import type { FileSystem } from '#cluster'

/** Puts a small file in place: after a crash it is the old one or the new one, never a part. */
export async function writeDurableFile(
  fileSystem: FileSystem,
  directory: string,
  name: string,
  value: object,
): Promise<void> {
  const path = `${directory}/${name}`
  const temporary = `${path}.new`
  if (await fileSystem.exists(temporary)) await fileSystem.remove(temporary)
  const file = await fileSystem.open(temporary, { create: 'new' })
  try {
    await file.write(new TextEncoder().encode(`${JSON.stringify(value)}\n`), 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await fileSystem.rename(temporary, path)
  await fileSystem.syncDirectory(directory)
}
