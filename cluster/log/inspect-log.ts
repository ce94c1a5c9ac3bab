import type { FileSystem } from '../ports.ts'
import type { RaftId } from '../raft/types.ts'
import type { Formation } from './log-storage.ts'
import { recover } from './recovery.ts'
import { parseSegmentName } from './segment-file.ts'

/** What a log on disk says of itself, once all of it was checked. */
export interface InspectedLog {
  readonly raftId: RaftId
  readonly formation: Formation | null
  readonly firstIndex: number
  readonly lastIndex: number
  readonly commit: number
  readonly segments: number
  /** Of frames, zeros behind them left out. */
  readonly bytes: number
  /** `null` if the log does not hold the entry, nor starts after it. */
  term(index: number): number | null
}

/**
 * Reads a log that nobody has open, every batch of it, as a start would, and changes nothing. `null`
 * if the directory holds none.
 *
 * @throws LogDamagedError, LogFormatError
 */
export async function inspectLog(
  fileSystem: FileSystem,
  directory: string,
): Promise<InspectedLog | null> {
  const names = await fileSystem.list(directory)
  const segments = names.flatMap((name) => parseSegmentName(directory, name) ?? [])
  if (segments.length === 0) return null
  const recovered = await recover(fileSystem, segments)
  for (const { file } of recovered.segments) await file.close()
  const { state } = recovered
  return {
    raftId: state.raftId,
    formation: state.formation,
    firstIndex: state.start.index + 1,
    lastIndex: state.lastIndex,
    commit: state.hardState.commit,
    segments: recovered.segments.length,
    bytes: recovered.segments.reduce((sum, { usedBytes }) => sum + usedBytes, 0),
    term: (index) => state.term(index),
  }
}
