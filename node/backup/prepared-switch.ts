import { type FileSystem, integer, object, readJson, text } from '#cluster'
import { writeDurableFile } from '../durable-file.ts'

/** In a data directory: what is to take the place of what is there, while it is being made. */
export const PREPARED = 'prepared'

/** In a data directory: what is prepared is whole, and takes over. */
export const SWITCH = 'switch.json'

/** What takes over, in this order; the label last. */
const PARTS = ['log', 'store', 'node.json'] as const
const FORMAT = 1

const INTENT = object({ format: integer(FORMAT, FORMAT), undo: text(255) })

/**
 * Puts what was prepared in place. From the moment of the note on, a crash anywhere is finished by the
 * next start of the node or the next call; before it, nothing has changed.
 *
 * @param undo names a directory in `data` that takes what was there; '' where there was nothing
 */
export async function switchToPrepared(
  fileSystem: FileSystem,
  data: string,
  undo: string,
): Promise<void> {
  if (undo !== '') {
    await fileSystem.makeDirectory(`${data}/${undo}`)
    await fileSystem.syncDirectory(data)
  }
  await writeDurableFile(fileSystem, data, SWITCH, { format: FORMAT, undo })
  await finishSwitch(fileSystem, data)
}

/** Does what the note in `data` still asks for. Each step may be done already. */
export async function finishSwitch(fileSystem: FileSystem, data: string): Promise<void> {
  const noted = await fileSystem.readFile(`${data}/${SWITCH}`)
  const { undo } = readJson(
    noted,
    INTENT,
    (why) => new Error(`${data}/${SWITCH} cannot be read (${why}): nothing was changed`),
  )
  const prepared = `${data}/${PREPARED}`
  for (const part of PARTS) {
    if (!(await fileSystem.exists(`${prepared}/${part}`))) continue
    if (undo !== '' && (await fileSystem.exists(`${data}/${part}`))) {
      await fileSystem.rename(`${data}/${part}`, `${data}/${undo}/${part}`)
      await fileSystem.syncDirectory(`${data}/${undo}`)
      await fileSystem.syncDirectory(data)
    }
    await fileSystem.rename(`${prepared}/${part}`, `${data}/${part}`)
    await fileSystem.syncDirectory(data)
    await fileSystem.syncDirectory(prepared)
  }
  if (await fileSystem.exists(prepared)) await fileSystem.removeDirectory(prepared)
  await fileSystem.remove(`${data}/${SWITCH}`)
  await fileSystem.syncDirectory(data)
}
