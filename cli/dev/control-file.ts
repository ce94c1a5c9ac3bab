import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const CONTROL_FILE = 'dev.json'

/** What a running dev cluster leaves in its data directory so that other commands find it. */
export interface ControlFile {
  /** The supervising process. */
  readonly pid: number
  /** Unix socket that takes its commands. */
  readonly socket: string
  readonly nodes: readonly {
    readonly id: string
    readonly url: string
    readonly pid: number | null
  }[]
}

export function writeControlFile(directory: string, content: ControlFile): void {
  const path = join(directory, CONTROL_FILE)
  // Renamed into place: a reader sees the old one or the new one, never half of it.
  writeFileSync(`${path}.new`, `${JSON.stringify(content, null, 2)}\n`)
  renameSync(`${path}.new`, path)
}

/** `null` if there is none, or if the process that wrote it has gone. */
export function readControlFile(directory: string): ControlFile | null {
  const content = readLeftover(directory)
  return content !== null && isAlive(content.pid) ? content : null
}

/** The same, whoever wrote it: to clean up after a supervisor that was killed. */
export function readLeftover(directory: string): ControlFile | null {
  try {
    return JSON.parse(readFileSync(join(directory, CONTROL_FILE), 'utf8')) as ControlFile
  } catch {
    return null
  }
}

export function removeControlFile(directory: string): void {
  rmSync(join(directory, CONTROL_FILE), { force: true })
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
