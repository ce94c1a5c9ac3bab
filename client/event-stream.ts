import type { ChatEvent } from './chat-event.ts'
import type { Delivery } from './delivery.ts'
import type { EventQueue } from './event-queue.ts'

/**
 * An async iterable over a queue that was filling already before anyone asked: so that "from now
 * on" means from the call that made it. It can be iterated once. Leaving the loop closes it; the
 * event in hand is then not acknowledged.
 */
export function eventStream<Event extends ChatEvent>(
  queue: EventQueue<ChatEvent>,
  wanted: (event: ChatEvent) => event is Event,
  delivery: Delivery | null,
  /** The application asked for the one after it. */
  handled: (event: ChatEvent) => void,
  close: () => void,
): AsyncIterableIterator<Event> {
  return iterate()

  async function* iterate(): AsyncGenerator<Event, void, undefined> {
    try {
      for (;;) {
        // Nothing to record it together with. A store that fails ends the client.
        if (queue.size === 0) delivery?.flush().catch(() => {})
        const event = await queue.take()
        if (event === null) return
        if (!wanted(event)) delivery?.pass(event)
        else if (delivery === null) {
          yield event
          handled(event)
        } else {
          const handed = await delivery.hand(event)
          if (handed === null) continue
          yield handed
          delivery.acknowledge()
          handled(event)
        }
      }
    } finally {
      close()
    }
  }
}
