import { randomBytes } from 'node:crypto'
import {
  GenericContainer,
  getContainerRuntimeClient,
  Network,
  type StartedTestContainer,
  Wait,
} from 'testcontainers'
import { freePorts } from '../../../node/host/testing/free-ports.ts'
import { checkNodes, ControlledCluster } from '../controlled-cluster.ts'
import type { NodeControl, NodeState } from '../node-control.ts'
import type { TestCluster } from '../test-cluster.ts'
import { DEFAULT_IMAGE } from './parley-container.ts'
import { withTokenSecret } from './token-secret.ts'

/** What kind of cluster a test wants, and of which image. */
export interface ParleyClusterOptions {
  /** @default 3 */
  readonly nodes?: number
  /** @default 'parley', as `docker build -t parley .` makes it in a clone */
  readonly image?: string
  /** Further environment of each node, as `parley node --help` names it. @default none */
  readonly environment?: Readonly<Record<string, string>>
}

const CLIENT_PORT = 7400
const PEER_PORT = 7500
/** How long a node may drain before it is killed: its clients get five seconds to leave. */
const DRAIN_S = 20

/** A cluster in containers: what `startTestCluster` does with processes. */
export class ParleyCluster {
  readonly #options: Required<ParleyClusterOptions>

  constructor(options: ParleyClusterOptions = {}) {
    this.#options = { nodes: 3, image: DEFAULT_IMAGE, environment: {}, ...options }
    checkNodes(this.#options.nodes)
  }

  /**
   * Resolves when the cluster takes writes; nothing is left behind if that fails.
   *
   * @throws Error with what the nodes say if they do not become one within a minute
   */
  async start(): Promise<TestCluster> {
    const { info } = await getContainerRuntimeClient()
    const secret = randomBytes(32).toString('base64url')
    const ports = await freePorts(this.#options.nodes)
    const members = ports.map((port, at) => {
      const authority = `${info.containerRuntime.host}:${port}`
      return { name: `n${at + 1}`, port, authority, url: `http://${authority}` }
    })
    const environment = {
      ...this.#options.environment,
      ...(members.length === 1 ? { PARLEY_FOUND_ALONE: 'true' } : {}),
      PARLEY_LISTEN: `0.0.0.0:${CLIENT_PORT}`,
      PARLEY_PEER_LISTEN: `0.0.0.0:${PEER_PORT}`,
      PARLEY_INITIAL_MEMBERS: members
        .map(({ name, authority }) => `${name}=${authority}/${name}:${PEER_PORT}`)
        .join(','),
    }
    const network = await new Network().start()
    const nodes = members.map(({ name, url, port }) => {
      const container = withTokenSecret(new GenericContainer(this.#options.image), secret)
        .withNetwork(network)
        .withNetworkAliases(name)
        .withExposedPorts({ container: CLIENT_PORT, host: port })
        .withEnvironment({ ...environment, PARLEY_NAME: name })
        .withWaitStrategy(Wait.forHttp('/livez', CLIENT_PORT))
      return new ContainerControl(name, url, container)
    })
    const close = async () => {
      await Promise.all(nodes.map((node) => node.remove()))
      await network.stop()
    }
    return ControlledCluster.started({ nodes, secret, close })
  }
}

class ContainerControl implements NodeControl {
  readonly name: string
  readonly url: string
  readonly #container: GenericContainer
  #started: StartedTestContainer | null = null

  constructor(name: string, url: string, container: GenericContainer) {
    this.name = name
    this.url = url
    this.#container = container
  }

  async state(): Promise<NodeState> {
    if (this.#started === null) return 'down'
    const { State } = await (await this.#running()).inspect()
    return State.Paused ? 'paused' : State.Running ? 'running' : 'down'
  }

  async start(): Promise<void> {
    if (this.#started === null) this.#started = await this.#container.start()
    else await (await this.#running()).start()
  }

  async stop(): Promise<void> {
    await (await this.#running()).stop({ t: DRAIN_S })
  }

  async kill(): Promise<void> {
    const container = await this.#running()
    await container.kill()
    await container.wait()
  }

  async pause(): Promise<void> {
    await (await this.#running()).pause()
  }

  async resume(): Promise<void> {
    await (await this.#running()).unpause()
  }

  async lastLines(): Promise<string> {
    if (this.#started === null) return 'not started'
    const stream = await this.#started.logs({ tail: 12 })
    const texts = await stream.toArray()
    return texts.map(String).join('').trimEnd()
  }

  /** With its data. A container that never came up has been removed by who tried. */
  async remove(): Promise<void> {
    if (this.#started === null) return
    await (await this.#running()).remove({ force: true, v: true })
  }

  async #running() {
    if (this.#started === null) throw new Error(`${this.name} was not started`)
    const { container } = await getContainerRuntimeClient()
    return container.getById(this.#started.getId())
  }
}
