import { encodeFrame, type EncodedFrame, type SignalNotice, type Subprotocol } from '#protocol'
import { KeyedQueue } from '../signals/keyed-queue.ts'
import type { Signal } from '../signals/signal.ts'
import type { GatewayContext } from './gateway-context.ts'
import { FrameState } from './send-queue.ts'
import type { Session } from './session.ts'

/** Signals of one conversation that wait until its members were looked up. */
const MAX_WAITING = 1_000

/**
 * Hands signals to the sessions of this node (rule B8), in the order in which they come. Who is slow
 * gets none: they are for now.
 */
export class SignalDelivery {
  readonly #context: GatewayContext
  readonly #lookUps: KeyedQueue

  constructor(context: GatewayContext) {
    this.#context = context
    this.#lookUps = new KeyedQueue(MAX_WAITING, (error) =>
      context.logger.error('signal.failed', { error }),
    )
  }

  deliver(signal: Signal): void {
    const { registry } = this.#context
    if (registry.size === 0) return
    const { conv, to } = signal
    if (conv === null) {
      this.#tell(signal, registry.of(to!) ?? [])
    } else {
      this.#lookUps.add(conv, () => this.#toMembers(signal, conv))
    }
  }

  async #toMembers(signal: Signal, conv: string): Promise<void> {
    const { backend, registry } = this.#context
    const conversation = await backend.state.conversation(conv)
    if (conversation === null || conversation.large) return
    const sessions = conversation.members.flatMap(({ user }) => registry.of(user) ?? [])
    this.#tell(signal, sessions)
  }

  #tell(signal: Signal, sessions: readonly Session[]): void {
    const { conv, from, device, name, body } = signal
    const notice: SignalNotice = {
      t: 'signal:N',
      ...(conv === null ? {} : { conv }),
      from,
      device,
      name,
      body,
    }
    const frames: Partial<Record<Subprotocol, EncodedFrame>> = {}
    for (const session of sessions) {
      if (session.user === from && session.device === device) continue
      const { subprotocol } = session.connection
      const frame = (frames[subprotocol] ??= encodeFrame(notice, subprotocol))
      if (session.fits(frame.length)) session.sendEncoded(frame, FrameState.none)
    }
  }
}
