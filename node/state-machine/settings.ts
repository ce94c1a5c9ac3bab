import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'

/**
 * What apply compares against: replicated, equal on every node, never read from a node's own file
 * after formation (rule A9).
 */
export interface Settings {
  /** How long results of writes are kept, in ms of log time (rule A3). */
  readonly windowMs: number
  /** Members, the creator included, that a group may have at one time. */
  readonly groupMembers: number
}

export const DEFAULT_SETTINGS: Settings = {
  windowMs: 24 * 60 * 60 * 1000,
  groupMembers: 10_000,
}

export function encodeSettings(settings: Settings): Uint8Array {
  return new ByteWriter().varint(settings.windowMs).varint(settings.groupMembers).toBytes()
}

export function decodeSettings(bytes: Uint8Array): Settings {
  const reader = new ByteReader(bytes)
  const settings = { windowMs: reader.varint(), groupMembers: reader.varint() }
  reader.end('the settings record')
  return settings
}
