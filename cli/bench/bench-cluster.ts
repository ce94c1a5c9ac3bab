import { ProcessCluster } from '../../chaos/processes/process-cluster.ts'
import { NODE_ENVIRONMENT } from '../../bench/load/node-environment.ts'
import { findUrls } from '../cluster/find-urls.ts'
import { readControlFile } from '../dev/control-file.ts'
import { findDataDirectory } from '../dev/data-directory.ts'
import { counted } from '../counted.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { note } from '../output.ts'

/** A cluster that may be loaded. */
export interface BenchCluster {
  readonly urls: readonly string[]
  /** Ends one of its own; `keep` leaves its data for a look. */
  close(keep: boolean): Promise<void>
}

/**
 * The cluster that is named, or one of its own.
 *
 * @throws CliError `refused` if what is written would stay in a cluster of somebody's
 */
export async function benchCluster(flags: {
  readonly nodes?: number
  readonly url?: readonly string[]
  readonly yes?: boolean
}): Promise<BenchCluster> {
  if (flags.nodes !== undefined) return ownCluster(flags.nodes)
  const urls = findUrls(flags.url)
  const running = readControlFile(findDataDirectory())
  const dev = new Set(running?.nodes.map(({ url }) => new URL(url).origin))
  if (flags.yes !== true && !urls.every((url) => dev.has(url))) {
    throw new CliError(
      ExitCode.refused,
      `${urls.join(', ')} is no cluster of parley dev: what a bench writes stays there, and its load is real; ` +
        'add --yes if that is what you want, or --nodes 3 for a cluster of its own',
    )
  }
  return { urls, close: async () => {} }
}

async function ownCluster(nodes: number): Promise<BenchCluster> {
  const cluster = await ProcessCluster.create(nodes)
  cluster.isApart = true
  try {
    note(`parley: starting ${counted(nodes, 'node')}`)
    await cluster.startAll({ env: NODE_ENVIRONMENT })
    await cluster.healthy()
  } catch (error) {
    await cluster.close()
    throw error
  }
  return {
    urls: cluster.nodes.map(({ url }) => url),
    close: async (keep) => {
      await cluster.close(keep)
      if (keep) note(`parley: data and logs of the nodes are in ${cluster.directory}`)
    },
  }
}
