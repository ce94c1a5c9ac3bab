import type { ClusterNode } from '#cluster'
import type { Gateway } from '../gateway/gateway.ts'
import { diskLimitsOf } from '../node-settings.ts'
import type { NodeHost } from '../node-wiring.ts'
import type { PeerStandings } from '../peer-standings.ts'
import { DiskGuard } from './disk-guard.ts'
import { sendDiskReport } from './disk-report.ts'

/** How long clients get to leave a node that has no room on its disk. */
const CLIENTS_LEAVE_MS = 5_000

/** What keeps one node's disk from filling up; its parts are looked at later only. */
export function nodeDiskGuard(
  { settings, ports, logger, data }: NodeHost,
  parts: {
    readonly cluster: ClusterNode
    readonly gateway: Gateway
    readonly standings: PeerStandings
  },
  isDraining: () => boolean,
): DiskGuard {
  return new DiskGuard({
    clock: ports.clock,
    logger,
    fileSystem: ports.fileSystem,
    directory: settings.dataDirectory,
    limits: diskLimitsOf(settings),
    ballast: data.ballast,
    log: data.log,
    store: () => data.stores.store,
    erases: () => data.stateMachine.erases,
    saveSpace: (saves) => data.stateMachine.saveSpace(saves),
    serveClients: (serves) => {
      if (isDraining()) return
      if (serves) parts.gateway.undrain()
      else void parts.gateway.drain(CLIENTS_LEAVE_MS)
    },
    replica: () => parts.cluster.replica,
    isUp: (id) => parts.cluster.transport.isUp(id),
    fitness: (id) => parts.standings.fitness(id),
    report: (report, to) => sendDiskReport(parts.cluster.transport, report, to),
  })
}
