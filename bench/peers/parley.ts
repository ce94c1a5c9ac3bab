import { readFileSync } from 'node:fs'
import { MeasuredCluster } from '../load/measured-cluster.ts'
import type { SystemKind } from './system.ts'

const manifest = new URL('../../package.json', import.meta.url)

export const parley: SystemKind = {
  name: 'parley',
  missing: () => null,
  async start(directory) {
    const cluster = await MeasuredCluster.start(directory)
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }
    return {
      version,
      fsync: 'fdatasync on a majority before each acknowledgement',
      shape: 'messages of conversations, ws and msgpack',
      pids: cluster.pids,
      url: await cluster.leaderUrl(),
      held: (acknowledged) => cluster.verify(acknowledged),
      stop: () => cluster.stop(),
    }
  },
}
