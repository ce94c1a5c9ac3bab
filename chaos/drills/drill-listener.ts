import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { DrillMetrics } from './drill-metrics.ts'

/** How Prometheus calls the cluster of a drill. */
const CLUSTER = 'drill'

/**
 * Serves on the loopback what a drill tells of itself (`/metrics`), and whom Prometheus shall scrape:
 * its nodes and the drill (`/targets`, for `http_sd_configs`).
 */
export class DrillListener {
  readonly port: number
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
  }

  /** @throws Error `EADDRINUSE` if somebody else has the port; 0: any that is free */
  static async listen(
    port: number,
    metrics: DrillMetrics,
    nodes: readonly { readonly url: string }[],
  ): Promise<DrillListener> {
    const server = createServer((request, response) => {
      const self = `127.0.0.1:${(server.address() as AddressInfo).port}`
      void answerOf(request.url, { metrics, nodes, self }).then(({ status, type, body }) =>
        response.writeHead(status, { 'content-type': type }).end(body),
      )
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
    return new DrillListener(server)
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }
}

interface Sources {
  readonly metrics: DrillMetrics
  readonly nodes: readonly { readonly url: string }[]
  /** Where the drill itself is scraped. */
  readonly self: string
}

async function answerOf(
  path: string | undefined,
  { metrics: { registry }, nodes, self }: Sources,
): Promise<{ status: number; type: string; body: string }> {
  switch (path) {
    case '/metrics':
      return { status: 200, type: registry.contentType, body: await registry.text() }
    case '/targets': {
      const hosts = nodes.map(({ url }) => new URL(url).host)
      const targets = [
        { targets: hosts, labels: { cluster: CLUSTER, job: 'parley' } },
        { targets: [self], labels: { cluster: CLUSTER, job: 'parley-drill' } },
      ]
      return { status: 200, type: 'application/json', body: JSON.stringify(targets) }
    }
    default:
      return { status: 404, type: 'text/plain', body: 'there are /metrics and /targets\n' }
  }
}
