/** The door of `parley/testing`: real clusters for the tests of applications. */
export { startTestCluster, type TestClusterOptions } from './start-test-cluster.ts'
export type { TestCluster, TestNode, TestTokenOptions } from './test-cluster.ts'
