/**
 * The door of `parley/testing/containers`: nodes in containers, for tests that already use
 * `testcontainers`, which is looked for when this is imported and not before.
 */
export { ParleyCluster, type ParleyClusterOptions } from './parley-cluster.ts'
export { ParleyContainer, StartedParleyContainer } from './parley-container.ts'
