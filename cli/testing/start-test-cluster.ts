import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts } from '../../node/host/testing/free-ports.ts'
import { formatMembers } from '../cluster/initial-members.ts'
import type { DevNode } from '../dev/layout.ts'
import { NodeProcess } from '../dev/node-process.ts'
import { checkNodes, ControlledCluster } from './controlled-cluster.ts'
import type { NodeControl } from './node-control.ts'
import type { TestCluster } from './test-cluster.ts'

/** What kind of cluster a test wants. */
export interface TestClusterOptions {
  /** How many; an odd number, since four survive no more than three do. @default 3 */
  readonly nodes?: number
  /** Further flags of `parley node`, the same for each: `['--user-rate', '1000']`. @default none */
  readonly flags?: readonly string[]
}

/** How long a node may drain before it is killed: its clients get five seconds to leave. */
const DRAIN_MS = 20_000

/**
 * Starts a cluster of real processes on free ports of the loopback and resolves when it takes
 * writes, after about two seconds. Its data stands in a temporary folder and goes with it. The nodes
 * end when this process does, whichever way that ends.
 *
 * @throws Error with the last lines of its log if a node does not start
 */
export async function startTestCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const { nodes: count = 3, flags = [] } = options
  checkNodes(count)
  const directory = await mkdtemp(join(tmpdir(), 'parley-test-'))
  const secret = randomBytes(32).toString('base64url')
  const secretFile = join(directory, 'token-secret')
  await writeFile(secretFile, secret, { mode: 0o600 })
  const ports = await freePorts(2 * count)
  const members = Array.from({ length: count }, (_, at): DevNode => {
    const name = `n${at + 1}`
    const listen = `127.0.0.1:${ports[2 * at]}`
    const peerAddress = `127.0.0.1:${ports[2 * at + 1]}`
    return {
      ...{ name, listen, url: `http://${listen}`, peerAddress, peerListen: peerAddress },
      ...{ dataDirectory: join(directory, name), logFile: join(directory, `${name}.log`) },
    }
  })
  const initial = formatMembers(members.map((node) => ({ ...node, clientUrl: node.url })))
  const nodes = members.map(
    (node) =>
      new ProcessControl(node, [
        ...[process.execPath, program(), 'node', '--name', node.name, '--listen', node.listen],
        ...['--peer-listen', node.peerListen, '--data', node.dataDirectory],
        ...['--initial-members', initial, '--token-secret-file', secretFile],
        ...(count === 1 ? ['--found-alone'] : []),
        ...flags,
      ]),
  )
  const close = async () => {
    await Promise.all(nodes.map((node) => node.kill()))
    await rm(directory, { recursive: true, force: true })
  }
  return ControlledCluster.started({ nodes, secret, close })
}

/** `parley` beside this file: sources in a clone, compiled in the package. */
function program(): string {
  const compiled = fileURLToPath(new URL('../parley.mjs', import.meta.url))
  const source = fileURLToPath(new URL('../main.ts', import.meta.url))
  return existsSync(source) ? source : compiled
}

class ProcessControl implements NodeControl {
  readonly name: string
  readonly url: string
  readonly #process: NodeProcess

  constructor(node: DevNode, command: readonly string[]) {
    this.name = node.name
    this.url = node.url
    this.#process = new NodeProcess(node, command, () => {}, environment())
  }

  async state() {
    return this.#process.state
  }

  async start() {
    this.#process.start()
  }

  async stop() {
    await this.#process.stop(DRAIN_MS)
  }

  kill() {
    return this.#process.kill()
  }

  async pause() {
    this.#process.pause()
  }

  async resume() {
    this.#process.resume()
  }

  async lastLines() {
    return this.#process.tail(12).join('\n')
  }
}

/** Without what would configure the nodes behind the back of the test. */
function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PARLEY_'))
  return Object.fromEntries(kept)
}
