import { createServer } from 'node:net'
import { fetchView } from '../cluster/cluster-view.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import type { DevNode } from './layout.ts'

/** Fails with a sentence that helps if any address of the nodes is in use. */
export async function requireFreePorts(nodes: readonly DevNode[]): Promise<void> {
  for (const node of nodes) {
    for (const address of [node.listen, node.peerAddress, node.peerListen]) {
      if (await isFree(address)) continue
      const view = await fetchView(`http://${address}`, 500)
      const holder = view === null ? 'another program' : `node ${view.node} of a Parley cluster`
      throw new CliError(
        ExitCode.failed,
        `${address} is taken by ${holder}: stop it, or start a cluster of its own with --port and --data`,
      )
    }
  }
}

/** Whether nobody listens at `host:port` now. */
function isFree(address: string): Promise<boolean> {
  const at = address.lastIndexOf(':')
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host: address.slice(0, at), port: Number(address.slice(at + 1)) }, () =>
      server.close(() => resolve(true)),
    )
  })
}
