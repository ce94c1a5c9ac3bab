import type { LogStorage } from '#cluster'
import type { ParleyStateMachine } from '../state-machine/state-machine.ts'
import type { StoreDirectory } from '../store/store.ts'
import type { MetricsRegistry } from './metrics-registry.ts'

interface StateParts {
  readonly stateMachine: ParleyStateMachine
  readonly stores: StoreDirectory
  readonly log: LogStorage
}

/** Defines what there is to know of the applied state and its store. Once per registry. */
export function defineStateMetrics(metrics: MetricsRegistry, parts: StateParts): void {
  const { stateMachine } = parts
  const gauge = (
    name: string,
    help: string,
    of: (statistics: ParleyStateMachine['statistics']) => number,
  ) => metrics.gauge(name, help, () => of(stateMachine.statistics))

  gauge('parley_state_conversations', 'Conversations that exist.', (now) => now.conversations)
  gauge('parley_state_users', 'Users that were seen.', (now) => now.users)
  gauge(
    'parley_state_conversations_in_memory',
    'Conversations in memory. At its bound the others are read from disk when wanted.',
    (now) => now.conversationsInMemory,
  )
  gauge(
    'parley_state_inboxes_in_memory',
    'Inboxes in memory. At its bound the others are read from disk when wanted.',
    (now) => now.inboxesInMemory,
  )
  gauge(
    'parley_state_dedupe_entries',
    'Places for keys of messages that a copy would be recognized by; grows with messages per window.',
    (now) => now.dedupeSlots,
  )
  gauge('parley_state_dedupe_bytes', 'Memory of them.', (now) => now.dedupeBytes)
  gauge('parley_state_hot_bytes', 'Newest events held in memory.', (now) => now.hotBytes)
  gauge(
    'parley_state_dirty_bytes',
    'Applied commands that no complete checkpoint holds.',
    (now) => now.dirtyBytes,
  )
  gauge(
    'parley_state_unwritten_bytes',
    'Applied commands not yet handed to the store. At the limit the leader takes no more writes.',
    (now) => now.unwrittenBytes,
  )
  gauge(
    'parley_state_unwritten_limit_bytes',
    'Unwritten bytes at which the leader holds writes up.',
    (now) => now.unwrittenLimitBytes,
  )
  gauge(
    'parley_checkpoint_index',
    'Log index of the newest checkpoint; a restart applies what comes after it again.',
    (now) => now.checkpointIndex,
  )
  defineStoreMetrics(metrics, parts)
}

function defineStoreMetrics(metrics: MetricsRegistry, parts: StateParts): void {
  const { stateMachine, stores, log } = parts
  metrics.histogram(
    'parley_checkpoint_duration_seconds',
    'Time of a checkpoint until it is on disk. It is paced: growing means more to write or a slow disk.',
    stateMachine.checkpointDuration,
  )
  metrics.collected(
    'parley_store_bytes',
    'Size of the store on disk, roughly.',
    'gauge',
    async () => {
      const size = await stores.store?.size().catch(() => undefined)
      return size === undefined ? [] : [{ labels: {}, value: size.bytes }]
    },
  )
  metrics.gauge(
    'parley_state_lost',
    '1 while this node waits for a snapshot because its state was damaged and its log is too short.',
    () => (stateMachine.appliedIndex + 1 < log.firstIndex() ? 1 : 0),
  )
  metrics.gauge(
    'parley_state_log_time_seconds',
    "Log time of the newest applied entry: leaders' clocks, never falling; what windows and policies compare with.",
    () => stateMachine.logTime / 1_000,
  )
}
