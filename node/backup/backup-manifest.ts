import { type Configuration, configurationShape, hex, integer, object, text } from '#cluster'

/** What a backup says of itself, first of all: which moment of which cluster it holds. */
export interface BackupManifest {
  readonly clusterId: string
  readonly epoch: string
  /** The applied index that it stands for: everything up to it is inside, nothing after it. */
  readonly index: number
  readonly term: number
  /** Log time of that index in ms (rule A8). */
  readonly logTimeMs: number
  /** Wall time of the node when it began, in ms: whatever was acknowledged before is inside. */
  readonly takenAtMs: number
  /** Hash over everything applied up to the index (rule K5). */
  readonly stateHash: string
  /** The node that gave it. */
  readonly node: string
  /** Of the product. */
  readonly version: string
  readonly conversations: number
  /** Users who have an inbox. */
  readonly users: number
  /** Who were the members, for people: a restored cluster has others. */
  readonly configuration: Configuration
}

export const manifestShape = object<BackupManifest>({
  clusterId: hex(16),
  epoch: hex(8),
  index: integer(1),
  term: integer(1),
  logTimeMs: integer(),
  takenAtMs: integer(),
  stateHash: hex(12),
  node: text(255),
  version: text(255),
  conversations: integer(),
  users: integer(),
  configuration: configurationShape,
})
