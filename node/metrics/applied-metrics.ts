import { type ApplyListener, EventKind } from '../state-machine/types.ts'
import type { MetricsRegistry } from './metrics-registry.ts'

const EVENT_KINDS = {
  [EventKind.message]: 'message',
  [EventKind.edit]: 'edit',
  [EventKind.recall]: 'recall',
  [EventKind.reaction]: 'reaction',
  [EventKind.member]: 'member',
  [EventKind.settings]: 'settings',
} as const

/** Counts what apply tells of on its way to `listener`. Every node counts all of it. */
export function countedApply(metrics: MetricsRegistry, listener: ApplyListener): ApplyListener {
  const messages = metrics.counter(
    'parley_messages_applied_total',
    'Messages stored by apply since this process started, the replay of the log included. On each node the same.',
  )
  const events = metrics.counters(
    'parley_events_applied_total',
    'Events of conversations stored by apply since this process started, by kind.',
    'kind',
    Object.values(EVENT_KINDS),
  )
  const receipts = metrics.counters(
    'parley_receipts_applied_total',
    'Cursors of members that rose: delivered to a device, read by its user.',
    'kind',
    ['delivered', 'read'],
  )
  const removals = metrics.counter(
    'parley_removals_applied_total',
    'Removals by policies and erasures that took something out of a conversation.',
  )
  return {
    ...listener,
    onEvent: (conversation, event) => {
      if (event.kind === EventKind.message) messages.add()
      events[EVENT_KINDS[event.kind]].add()
      listener.onEvent(conversation, event)
    },
    onReceipt: (receipt) => {
      receipts[receipt.kind].add()
      listener.onReceipt?.(receipt)
    },
    onRemoved: (removal) => {
      removals.add()
      listener.onRemoved?.(removal)
    },
  }
}
