import type { Dashboard } from './dashboard.ts'
import { mean, panel, quantiles, rate } from './shorthand.ts'

export const MESSAGES: Dashboard = {
  id: 'parley-messages',
  title: 'Parley: messages',
  rows: [
    {
      title: 'In',
      panels: [
        panel(
          'Messages',
          'ops',
          'By answer: first time, copy of one that was stored, refused for good.',
          [
            [rate('parley_messages_accepted_total'), '{{instance}} accepted'],
            [rate('parley_messages_duplicate_total'), '{{instance}} copies'],
            [rate('parley_messages_rejected_total'), '{{instance}} rejected'],
          ],
        ),
        panel('Messages applied', 'ops', 'Stored, on each node the same.', [
          [rate('parley_messages_applied_total'), '{{instance}}'],
        ]),
        panel('Events by kind', 'ops', 'Messages, and what happened to them and to members.', [
          [rate('parley_events_applied_total', 'kind'), '{{kind}}'],
        ]),
        panel(
          'Writes kept back',
          'ops',
          'By rate limits, of users and devices that write too fast.',
          [[rate('parley_rate_limited_writes_total'), '{{instance}}']],
        ),
        panel('Moderation', 'ops', 'Verdicts of the hook; fail: none came in time.', [
          [rate('parley_moderation_verdicts_total', 'verdict'), '{{verdict}}'],
        ]),
      ],
    },
    {
      title: 'Out',
      panels: [
        panel(
          'Delivery',
          's',
          "From the leader's stamp to the push to who is online, by two clocks.",
          quantiles('parley_delivery_latency_seconds'),
          { limit: 1 },
        ),
        panel('Events pushed', 'ops', 'Whole, or as a notify to who is behind and has to ask.', [
          [rate('parley_pushed_events_total', 'instance, form'), '{{instance}} {{form}}'],
        ]),
        panel('Sessions told of one event', 'short', 'Fan-out on one node.', [
          [mean('parley_push_fanout_sessions'), '{{instance}}'],
        ]),
        panel(
          'Receipts',
          'ops',
          'Cursors that rose: delivered to a device, read by a user. Far fewer delivered than messages: recipients are away.',
          [[rate('parley_receipts_applied_total', 'kind'), '{{kind}}']],
        ),
        panel('Pages of inboxes', 'ops', 'Given to devices that were away.', [
          ['sum by (instance) (rate(parley_sync_events_count[$__rate_interval]))', '{{instance}}'],
        ]),
        panel('Events in one page', 'short', 'Grows with the time that devices stay away.', [
          [mean('parley_sync_events'), '{{instance}}'],
        ]),
        panel(
          'Signals',
          'ops',
          'Typing and the like: taken, handed to sessions, dropped on the way.',
          [
            [rate('parley_signals_published_total'), '{{instance}} taken'],
            [rate('parley_signals_delivered_total'), '{{instance}} delivered'],
            [rate('parley_signals_dropped_total'), '{{instance}} dropped'],
          ],
        ),
      ],
    },
    {
      title: 'Away',
      panels: [
        panel('Calls of devices', 'ops', 'That are away, by outcome; gone: the subscription is.', [
          [rate('parley_push_calls_total', 'instance, outcome'), '{{instance}} {{outcome}}'],
        ]),
        panel(
          'Calls that wait',
          'short',
          'Under way or to be tried again: grows while the provider does not answer.',
          [['parley_push_waiting', '{{instance}}']],
        ),
        panel('Removals proposed', 'ops', 'By policies and erasures, on the leader.', [
          [rate('parley_retention_removals_total', 'instance, op'), '{{instance}} {{op}}'],
          [rate('parley_retention_erasures_total'), '{{instance}} users erased'],
          [rate('parley_retention_failures_total'), '{{instance}} failed'],
        ]),
        panel('Removals applied', 'ops', 'On each node the same.', [
          [rate('parley_removals_applied_total'), '{{instance}}'],
        ]),
      ],
    },
  ],
}
