import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { once } from 'node:events'
import { CliError, ExitCode } from '../exit-codes.ts'

/** Where an export goes, and from where on it lacks something. */
export interface ExportTarget {
  /** The last seq that is there, 0 for none. */
  readonly after: number
  /** Whole lines, without their ends. */
  write(lines: readonly string[]): Promise<void>
  /** Everything is kept by the disk, if it is a file. */
  close(): void
}

/** Standard output: it takes no more than its reader does. */
export function stdoutTarget(after: number): ExportTarget {
  return {
    after,
    write: async (lines) => {
      if (lines.length === 0) return
      if (!process.stdout.write(`${lines.join('\n')}\n`)) await once(process.stdout, 'drain')
    },
    close: () => {},
  }
}

/** How much of a file's end is read for its last whole line; a line is never that long. */
const TAIL_BYTES = 8 * 1024 * 1024

/**
 * A file. With `resume` what is in it stays, up to its last whole line.
 *
 * @throws CliError if there is one already, or one that is no export of that conversation
 */
export function fileTarget(
  path: string,
  { conversation, resume }: { readonly conversation: string; readonly resume: boolean },
): ExportTarget {
  const file = open(path, resume)
  let after = 0
  try {
    after = resume ? keepWholeLines(file, path, conversation) : 0
  } catch (error) {
    closeSync(file)
    throw error
  }
  return {
    after,
    write: async (lines) => {
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
      for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done)
    },
    close: () => {
      const isEmpty = fstatSync(file).size === 0
      fsyncSync(file)
      closeSync(file)
      // Nothing came: it shall not stand in the way of the next try.
      if (isEmpty) rmSync(path)
    },
  }
}

function open(path: string, resume: boolean): number {
  try {
    return openSync(path, resume ? 'a+' : 'wx', 0o600)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'EEXIST') throw new CliError(ExitCode.failed, message, { cause: error })
    throw new CliError(
      ExitCode.refused,
      `${path} is there already: --resume goes on with it, or name another file`,
    )
  }
}

/** Cuts off what is no whole line; the last seq of what is left. */
function keepWholeLines(file: number, path: string, conversation: string): number {
  const { size } = fstatSync(file)
  const from = Math.max(0, size - TAIL_BYTES)
  const tail = Buffer.alloc(size - from)
  readSync(file, tail, 0, tail.length, from)
  const end = tail.lastIndexOf(0x0a) + 1
  const start = end === 0 ? 0 : tail.lastIndexOf(0x0a, end - 2) + 1
  if (end === 0 && from > 0) throw noExport(path, conversation)
  const position = end === 0 ? 0 : seqOf(tail.toString('utf8', start, end - 1), conversation)
  if (position === null) throw noExport(path, conversation)
  // Of members alone there is no way to go on: it begins anew.
  ftruncateSync(file, position === 0 ? 0 : from + end)
  return position
}

/** Where the line stands, 0 for one that describes the conversation; `null`: it is none of them. */
function seqOf(line: string, conversation: string): number | null {
  let said: unknown
  try {
    said = JSON.parse(line)
  } catch {
    return null
  }
  const { t, conv, seq, gap, conversation: described } = (said ?? {}) as Record<string, unknown>
  if (t === 'conv:A') {
    return (described as { id?: unknown } | undefined)?.id === conversation ? 0 : null
  }
  const last = t === 'msg:N' && conv === conversation ? seq : (gap as { to?: unknown })?.to
  return Number.isSafeInteger(last) && (last as number) > 0 ? (last as number) : null
}

const noExport = (path: string, conversation: string): CliError =>
  new CliError(
    ExitCode.refused,
    `${path} is no export of ${conversation} that could be gone on with: name another file`,
  )
