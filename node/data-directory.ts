import { type FileSystem, integer, object, readJson, text } from '#cluster'
import { finishSwitch, PREPARED, SWITCH } from './backup/prepared-switch.ts'
import { writeDurableFile } from './durable-file.ts'

/** An operator's mistake or a machine's state that stops a node before it opens anything. */
export class StartError extends Error {
  override readonly name = 'StartError'
  /** A safety check refused it: nothing is broken, and nothing was touched. */
  readonly isRefused: boolean
  /** What is on disk is not what was acknowledged: no restart mends it, and the node must be replaced. */
  readonly isDamage: boolean

  constructor(message: string, options: StartErrorOptions = {}) {
    super(message, options)
    this.isRefused = options.isRefused ?? false
    this.isDamage = options.isDamage ?? false
  }
}

interface StartErrorOptions extends ErrorOptions {
  readonly isRefused?: boolean
  readonly isDamage?: boolean
}

const LABEL = 'node.json'
const FORMAT = 1

interface Label {
  readonly format: number
  readonly name: string
}

/**
 * Makes or checks the directory of one node. It bears the node's name, so that the data of another
 * node is refused before anything in it is touched.
 *
 * @throws StartError with what to do next
 */
export async function openDataDirectory(
  fileSystem: FileSystem,
  directory: string,
  name: string,
): Promise<void> {
  try {
    await makeDurableDirectory(fileSystem, directory)
    const names = await fileSystem.list(directory)
    if (names.includes(SWITCH)) await finishSwitch(fileSystem, directory)
    else if (names.includes(PREPARED) && !names.includes(LABEL)) throw unfinished(directory)
    if (names.includes(SWITCH) || names.includes(LABEL)) {
      checkLabel(await fileSystem.readFile(`${directory}/${LABEL}`), directory, name)
    } else {
      const label: Label = { format: FORMAT, name }
      await writeDurableFile(fileSystem, directory, LABEL, label)
    }
  } catch (cause) {
    if (cause instanceof StartError) throw cause
    throw new StartError(
      `cannot use the data directory ${directory}: ${(cause as Error).message}; make it writable for this user or choose another with --data`,
      { cause },
    )
  }
}

/**
 * A directory whose name is not synced vanishes in a power cut with everything that was synced inside
 * it. The direct parent is synced every time: an earlier start may have died before it got there.
 */
async function makeDurableDirectory(fileSystem: FileSystem, directory: string): Promise<void> {
  const parents = [parentOf(directory)]
  while (!(await fileSystem.exists(parents.at(-1)!))) parents.push(parentOf(parents.at(-1)!))
  await fileSystem.makeDirectory(directory)
  for (const parent of parents) await fileSystem.syncDirectory(parent)
}

/** Of a relative path without a slash the working directory. */
function parentOf(path: string): string {
  const trimmed = path.replace(/(?<=.)\/+$/, '')
  const at = trimmed.lastIndexOf('/')
  if (at < 0) return trimmed === '.' ? '..' : '.'
  return at === 0 ? '/' : trimmed.slice(0, at)
}

function unfinished(directory: string): StartError {
  return new StartError(
    `a restore into ${directory} did not come to its end: nothing can start from it. Remove ${directory}/${PREPARED} and run parley restore again`,
    { isRefused: true },
  )
}

/**
 * Whose directory it is, `null` if it is nobody's. A switch that a crash cut off is finished first.
 *
 * @throws StartError if the label cannot be read
 */
export async function readLabel(fileSystem: FileSystem, directory: string): Promise<string | null> {
  const names = await fileSystem.list(directory)
  if (names.includes(SWITCH)) await finishSwitch(fileSystem, directory)
  if (!(await fileSystem.exists(`${directory}/${LABEL}`))) return null
  const bytes = await fileSystem.readFile(`${directory}/${LABEL}`)
  return labelOf(
    bytes,
    (why) => new StartError(`${directory}/${LABEL} is damaged: ${why}`),
    directory,
  )
}

/**
 * The name that the directory bears; `null` if none was written yet. Changes nothing.
 *
 * @throws StartError
 */
export async function lookAtLabel(
  fileSystem: FileSystem,
  directory: string,
): Promise<string | null> {
  const path = `${directory}/${LABEL}`
  if (!(await fileSystem.exists(path))) return null
  const damaged = (why: string) => new StartError(`${path} is damaged: ${why}`)
  return labelOf(await fileSystem.readFile(path), damaged, directory)
}

function checkLabel(bytes: Uint8Array, directory: string, name: string): void {
  const damaged = (why: string) =>
    new StartError(
      `${directory}/${LABEL} is damaged; if this is the directory of ${name}, replace the node: parley members replace ${name} (${why})`,
      { isDamage: true },
    )
  const owner = labelOf(bytes, damaged, directory)
  if (owner !== name) {
    throw new StartError(
      `${directory} belongs to node ${owner}, not ${name}: start ${owner} with it, or give ${name} its own directory with --data`,
      { isRefused: true },
    )
  }
}

function labelOf(
  bytes: Uint8Array,
  damaged: (why: string) => StartError,
  directory: string,
): string {
  // The format first: what else a newer version writes is not ours to judge.
  const { format } = readJson(bytes, object({ format: integer() }), damaged)
  if (format !== FORMAT) {
    throw new StartError(
      `${directory} was written by a newer version (format ${format}, this one knows ${FORMAT}): upgrade this node`,
      { isRefused: true },
    )
  }
  return readJson(bytes, object({ name: text(4_096) }), damaged).name
}
