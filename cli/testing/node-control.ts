import type { TestNode } from './test-cluster.ts'

export type NodeState = 'running' | 'paused' | 'down'

/** How one node of a test's cluster is run: as a process, or in a container. */
export interface NodeControl extends TestNode {
  /** What it is by now: a node may end by itself. */
  state(): Promise<NodeState>
  start(): Promise<void>
  stop(): Promise<void>
  kill(): Promise<void>
  pause(): Promise<void>
  resume(): Promise<void>
  /** The end of what it wrote, for the message of a failure. */
  lastLines(): Promise<string>
}
