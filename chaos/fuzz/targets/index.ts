import type { TargetEntry } from '../target.ts'
import { ClientFrames } from './client-frames.ts'
import { Commands, Forwarded } from './commands.ts'
import { LevelTables } from './level-tables.ts'
import { LogContent, LogRecords } from './log-content.ts'
import { LogDamage } from './log-damage.ts'
import { PeerBodies, SnapshotChunks } from './peer-bodies.ts'
import { PeerStream } from './peer-stream.ts'
import { RaftMessages } from './raft-messages.ts'
import { SnapshotStream } from './snapshot-stream.ts'
import { StoreDamage } from './store-damage.ts'
import { StoreValues } from './store-values.ts'

/** Everything that reads bytes which somebody else wrote, or which a disk gave back. */
export const TARGETS: readonly TargetEntry[] = [
  ...(['json', 'msgpack'] as const).flatMap((form): TargetEntry[] => [
    entry(`client-${form}`, 6, () => new ClientFrames('toServer', `parley.v1.${form}`)),
    entry(`server-${form}`, 3, () => new ClientFrames('toClient', `parley.v1.${form}`)),
  ]),
  entry('stream-stranger', 2, (captured) => new PeerStream(captured, false)),
  entry('stream-peer', 2, (captured) => new PeerStream(captured, true)),
  ...PeerBodies.names.map((name) => entry(`peer-${name}`, 1, () => new PeerBodies(name))),
  entry('snapshot-chunk', 1, (captured) => new SnapshotChunks(captured)),
  entry('raft-message', 12, (captured) => new RaftMessages(captured)),
  entry('command', 10, () => new Commands()),
  entry('forward', 0.5, () => new Forwarded()),
  entry('log-record', 10, () => LogRecords.open()),
  entry('log-content', 0.2, () => LogContent.open()),
  entry('log-sealed', 0.2, () => LogDamage.open(true)),
  entry('log-torn', 0.2, () => LogDamage.open(false)),
  entry('store-value', 8, () => StoreValues.open()),
  entry('store-damage', 0.2, () => StoreDamage.open()),
  entry('store-tables', 0.2, () => LevelTables.open()),
  entry('snapshot-stream', 1, () => SnapshotStream.open()),
]

function entry(name: string, share: number, open: TargetEntry['open']): TargetEntry {
  return { name, share, open }
}
