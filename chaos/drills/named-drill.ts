import type { ProcessCluster } from '../processes/process-cluster.ts'

/** What drills do to nodes. */
export const FAULTS = ['kill', 'pause', 'stop'] as const
export type Fault = (typeof FAULTS)[number]

/** One harm that a cluster of three or more bears, done to one node after the other, and mended. */
export interface NamedDrill {
  readonly summary: string
  readonly fault: Fault
  /** Whom it is done to. */
  readonly victim: 'leader' | 'follower'
  /** Resolves when it is done. */
  readonly harm: (cluster: ProcessCluster, node: string) => Promise<void>
  readonly mend: (cluster: ProcessCluster, node: string) => Promise<void>
}

const start = (cluster: ProcessCluster, node: string) => cluster.start(node)
const kill = (cluster: ProcessCluster, node: string) => cluster.kill(node)

/** By the name that is typed. */
export const DRILLS: Readonly<Record<string, NamedDrill>> = {
  'kill-leader': {
    summary: 'kill -9 whoever leads, in mid-send, and start it again',
    fault: 'kill',
    victim: 'leader',
    harm: kill,
    mend: start,
  },
  'kill-follower': {
    summary: 'kill -9 a node that does not lead, and start it again',
    fault: 'kill',
    victim: 'follower',
    harm: kill,
    mend: start,
  },
  'pause-leader': {
    summary: 'freeze whoever leads (SIGSTOP) until another one does, and let it go on',
    fault: 'pause',
    victim: 'leader',
    harm: (cluster, node) => cluster.signal(node, 'SIGSTOP'),
    mend: (cluster, node) => cluster.signal(node, 'SIGCONT'),
  },
  'stop-leader': {
    summary: 'stop whoever leads in order (SIGTERM), and start it again',
    fault: 'stop',
    victim: 'leader',
    harm: (cluster, node) => cluster.signal(node, 'SIGTERM'),
    mend: start,
  },
}
