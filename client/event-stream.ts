import type { ChatEvent } from './chat-event.ts'
import type { EventQueue } from './event-queue.ts'

/**
 * An async iterable over a queue that was filling already before anyone asked: so that "from now
 * on" means from the call that made it. It can be iterated once. Leaving the loop closes it.
 */
export function eventStream<Event extends ChatEvent>(
  queue: EventQueue<ChatEvent>,
  wanted: (event: ChatEvent) => event is Event,
  close: () => void,
): AsyncIterableIterator<Event> {
  return iterate()

  async function* iterate(): AsyncGenerator<Event, void, undefined> {
    try {
      for (;;) {
        const event = await queue.take()
        if (event === null) return
        if (wanted(event)) yield event
      }
    } finally {
      close()
    }
  }
}
