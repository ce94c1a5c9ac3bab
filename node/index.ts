/** The door of this package: a node whole, on real ports or on any others. */
export type { ClusterView } from './admin/cluster-view.ts'
export { StartError } from './data-directory.ts'
export type { NodePorts, NodeSettings } from './node-settings.ts'
export { ParleyNode } from './parley-node.ts'
export type { ReloadReport } from './reload.ts'
export {
  type RereadOptions,
  type RunningServer,
  type ServerOptions,
  startServer,
} from './server.ts'
