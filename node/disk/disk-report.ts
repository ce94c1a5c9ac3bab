import {
  type ClusterNode,
  featuresOf,
  integer,
  object,
  oneOf,
  PeerFrameKind,
  PeerProtocolError,
  type RaftId,
  readJson,
} from '#cluster'
import { DiskLevel } from './disk-level.ts'

/** Nodes that can do this feature level know the frame. */
const DISK_REPORT_LEVEL = 2

/** What a node tells its peers of its disk, every second and when it changes. */
export interface DiskReport {
  readonly level: DiskLevel
  readonly freeBytes: number
  /** `shut`: as the leader it takes no writes, so that nothing new is on its way to anybody. */
  readonly door: 'open' | 'shut'
}

const REPORT = object({
  level: integer(DiskLevel.ok, DiskLevel.spent),
  freeBytes: integer(),
  door: oneOf('open', 'shut'),
})

/** @throws PeerProtocolError */
export function decodeDiskReport(body: Uint8Array): DiskReport {
  const report = readJson(
    body,
    REPORT,
    (why) => new PeerProtocolError(`a disk report is malformed: ${why}`),
  )
  return { ...report, level: report.level as DiskLevel }
}

/** To each peer that is reached and knows what it is, or to one of them. */
export function sendDiskReport(
  transport: ClusterNode['transport'],
  report: DiskReport,
  to?: RaftId,
): void {
  for (const peer of transport.peersUp()) {
    if (to !== undefined && to !== peer.raftId) continue
    if (featuresOf(peer).levels.max < DISK_REPORT_LEVEL) continue
    transport.sendJson(peer.raftId, PeerFrameKind.disk, report)
  }
}
