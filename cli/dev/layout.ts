import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CliError, ExitCode } from '../exit-codes.ts'

export interface DevNode {
  readonly name: string
  readonly url: string
  /** `host:port` for clients. */
  readonly listen: string
  /** `host:port` at which peers dial it: that of the relay before it, where one stands. */
  readonly peerAddress: string
  /** `host:port` at which it listens for peers. */
  readonly peerListen: string
  readonly dataDirectory: string
  /** What the process prints, kept here. */
  readonly logFile: string
}

interface Layout {
  readonly nodes: number
  readonly port: number
}

const FILE = 'layout.json'
/** Peers are dialled this far above the client port. */
const PEER_PORT_OFFSET = 100
/** Behind its relay a node listens this far above the client port: there are up to nine nodes. */
const RELAYED_PORT_OFFSET = 115
const DEFAULT: Layout = { nodes: 3, port: 7401 }

/**
 * The nodes of the dev cluster in `directory`. The first start settles how many and where, because
 * the members and their addresses are part of the cluster from then on; asking for something else
 * later is an error. Call `settle` when nothing stands in the way of that first start any more.
 */
export function planLayout(
  directory: string,
  asked: Partial<Layout>,
): { readonly nodes: DevNode[]; readonly settle: () => void } {
  const saved = readLayout(directory)
  if (saved !== null) {
    const differs =
      (asked.nodes ?? saved.nodes) !== saved.nodes || (asked.port ?? saved.port) !== saved.port
    if (differs) {
      throw new CliError(
        ExitCode.failed,
        `${directory} holds a cluster of ${saved.nodes} nodes from port ${saved.port} on: start it without --nodes and --port, or choose another directory with --data`,
      )
    }
    return { nodes: devNodes(directory, saved), settle: () => {} }
  }
  const layout = { nodes: asked.nodes ?? DEFAULT.nodes, port: asked.port ?? DEFAULT.port }
  const settle = () => writeFileSync(join(directory, FILE), `${JSON.stringify(layout)}\n`)
  return { nodes: devNodes(directory, layout), settle }
}

function readLayout(directory: string): Layout | null {
  try {
    return JSON.parse(readFileSync(join(directory, FILE), 'utf8')) as Layout
  } catch {
    return null
  }
}

function devNodes(directory: string, { nodes, port }: Layout): DevNode[] {
  return Array.from({ length: nodes }, (_, i) => {
    const name = `n${i + 1}`
    const listen = `127.0.0.1:${port + i}`
    return {
      name,
      url: `http://${listen}`,
      listen,
      peerAddress: `127.0.0.1:${port + i + PEER_PORT_OFFSET}`,
      peerListen: `127.0.0.1:${port + i + RELAYED_PORT_OFFSET}`,
      dataDirectory: join(directory, name),
      logFile: join(directory, `${name}.log`),
    }
  })
}
