import { randomBytes } from 'node:crypto'
import {
  AbstractStartedContainer,
  GenericContainer,
  getContainerRuntimeClient,
  type StartedTestContainer,
  Wait,
} from 'testcontainers'
import { freePorts } from '../../../node/host/testing/free-ports.ts'
import type { TestTokenOptions } from '../test-cluster.ts'
import { signToken } from '../test-token.ts'
import { withTokenSecret } from './token-secret.ts'

const CLIENT_PORT = 7400
const PEER_PORT = 7500

/** The image that `docker build -t parley .` makes in a clone. */
export const DEFAULT_IMAGE = 'parley'

/**
 * One node alone in a container: enough where a test needs a server and breaks nothing. Its port on
 * this machine is settled before it starts, as a node tells its clients where it is reached.
 */
export class ParleyContainer extends GenericContainer {
  readonly #secret = randomBytes(32).toString('base64url')
  #url = ''

  constructor(image: string = DEFAULT_IMAGE) {
    super(image)
    this.withWaitStrategy(Wait.forHttp('/readyz', CLIENT_PORT)).withStartupTimeout(120_000)
  }

  override async start(): Promise<StartedParleyContainer> {
    const [port] = (await freePorts(1)) as [number]
    const { info } = await getContainerRuntimeClient()
    const authority = `${info.containerRuntime.host}:${port}`
    this.#url = `http://${authority}`
    this.withExposedPorts({ container: CLIENT_PORT, host: port })
    withTokenSecret(this, this.#secret).withEnvironment({
      PARLEY_NAME: 'n1',
      PARLEY_FOUND_ALONE: 'true',
      PARLEY_LISTEN: `0.0.0.0:${CLIENT_PORT}`,
      PARLEY_PEER_LISTEN: `0.0.0.0:${PEER_PORT}`,
      PARLEY_INITIAL_MEMBERS: `n1=${authority}/127.0.0.1:${PEER_PORT}`,
    })
    return new StartedParleyContainer(await super.start(), this.#url, this.#secret)
  }
}

/** A node that takes clients. */
export class StartedParleyContainer extends AbstractStartedContainer {
  readonly #url: string
  readonly #secret: string

  constructor(started: StartedTestContainer, url: string, secret: string) {
    super(started)
    this.#url = url
    this.#secret = secret
  }

  /** Where clients and operators reach it from this machine. */
  getUrl(): string {
    return this.#url
  }

  /** A token that this node takes. */
  tokenFor(user: string, options: TestTokenOptions = {}): Promise<string> {
    return signToken(this.#secret, user, options)
  }
}
