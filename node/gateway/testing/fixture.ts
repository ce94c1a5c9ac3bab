import type { Random } from '#cluster'
import type { RequestFrame, Subprotocol } from '#protocol'
import { MetricsRegistry } from '../../metrics/metrics-registry.ts'
import type { ConversationEvent } from '../../state-machine/types.ts'
import type { RequestHead } from '../client-listener.ts'
import { Gateway, type GatewayParts } from '../gateway.ts'
import type { GatewayOptions } from '../gateway-options.ts'
import { FakeBackend } from './fake-backend.ts'
import { ManualClock } from './manual-clock.ts'
import { MemoryConnection } from './memory-connection.ts'
import { RecordingLogger } from './recording-logger.ts'
import { helloFrame, numbered } from './samples.ts'

/** Half of the range, every time. */
const steadyRandom: Random = {
  uint32: () => 2 ** 31,
  bytes: (length) => new Uint8Array(length),
}

/** A gateway over everything that a test moves by hand. */
export function fixture(
  options: Partial<GatewayOptions> = {},
  more: Partial<Pick<GatewayParts, 'origins' | 'random' | 'onRequest' | 'authenticator'>> = {},
) {
  const clock = new ManualClock()
  const backend = new FakeBackend()
  const logger = new RecordingLogger()
  const metrics = new MetricsRegistry()
  const gateway = new Gateway({
    backend,
    clock,
    random: steadyRandom,
    logger,
    metrics,
    options: { dev: true, ...options },
    onRequest: async () => ({ status: 200, contentType: 'text/plain', body: 'ok' }),
    ...more,
  })
  /** A connection nobody has said hello on. */
  const connect = (subprotocol?: Subprotocol, head?: Partial<RequestHead>): MemoryConnection => {
    const connection = new MemoryConnection(subprotocol, head)
    gateway.handlers.onConnection(connection)
    return connection
  }
  /** A session that was greeted; what it got for that is forgotten. */
  const open = async (
    user = 'alice',
    device = 'd1',
    hello: Partial<Extract<RequestFrame, { t: 'hello:R' }>> = {},
    subprotocol?: Subprotocol,
  ): Promise<MemoryConnection> => {
    const connection = connect(subprotocol)
    connection.write(helloFrame({ user, device, ...hello }))
    await clock.settle()
    connection.last('hello:A')
    connection.messages.length = 0
    connection.sizes.length = 0
    return connection
  }
  /** Applies an event of a small conversation: it stands in the members' inboxes and is told. */
  const tell = (conv: string, users: readonly string[], told: ConversationEvent): void => {
    const inboxes = users.map((user) => [user, backend.state.entered(user, conv, told)] as const)
    backend.state.appliedIndex++
    gateway.onEvent(numbered(conv, Object.fromEntries(inboxes)), told)
  }
  return { clock, backend, logger, metrics, gateway, connect, open, tell }
}
