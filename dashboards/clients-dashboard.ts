import type { Dashboard } from './dashboard.ts'
import { gauges, panel, quantiles, rate } from './shorthand.ts'

export const CLIENTS: Dashboard = {
  id: 'parley-clients',
  title: 'Parley: clients',
  rows: [
    {
      title: 'Sessions',
      panels: [
        panel(
          'Sessions',
          'short',
          'Open on each node, and connections that have not said hello.',
          gauges('parley_sessions', 'parley_connections'),
        ),
        panel(
          'Coming',
          'ops',
          'Sessions opened. A storm after a failover is spread over a few seconds.',
          [[rate('parley_sessions_opened_total'), '{{instance}}']],
        ),
        panel('Going', 'ops', 'By reason; client: it closed, or its network did.', [
          [rate('parley_sessions_closed_total', 'instance, reason'), '{{instance}} {{reason}}'],
        ]),
        panel(
          'Refused',
          'ops',
          'Tokens that were not believed, hellos put off, frames that do not keep the protocol.',
          [
            [rate('parley_auth_failures_total'), '{{instance}} identity'],
            [rate('parley_rate_limited_total'), '{{instance}} put off'],
            [rate('parley_malformed_frames_total'), '{{instance}} malformed'],
          ],
        ),
        panel('Limits', 'ops', 'Sockets, connections, calls and frames refused, by the limit.', [
          [rate('parley_client_refusals_total', 'instance, limit'), '{{instance}} {{limit}}'],
        ]),
        panel(
          'Slow sessions',
          'short',
          'Get notifies until they catch up.',
          gauges('parley_slow_sessions'),
        ),
        panel(
          'Queued for clients',
          'bytes',
          'Not taken by the network yet, of all sessions; one session is closed at the limit.',
          gauges('parley_send_queue_bytes', 'parley_send_queue_limit_bytes'),
        ),
        panel('Traffic', 'Bps', 'WebSocket messages, before TLS and headers.', [
          [rate('parley_client_bytes_total', 'instance, direction'), '{{instance}} {{direction}}'],
        ]),
      ],
    },
    {
      title: 'Requests',
      panels: [
        panel('Requests', 'ops', 'By what they are.', [
          [rate('parley_requests_total', 'op'), '{{op}}'],
        ]),
        panel(
          'Errors',
          'ops',
          'By code; each is described in docs/protocol.md.',
          [
            [
              'sum by (code) (rate(parley_requests_total{code!="OK"}[$__rate_interval])) > 0',
              '{{code}}',
            ],
          ],
          { rare: true },
        ),
        panel(
          'Time, 99th percentile',
          's',
          'From the frame read to its answer queued, by what it is.',
          [
            [
              'histogram_quantile(0.99, sum by (le, op) (rate(parley_request_duration_seconds_bucket[$__rate_interval])))',
              '{{op}}',
            ],
          ],
          { rare: true },
        ),
        panel('HTTP calls', 'ops', 'By class of their status.', [
          [rate('parley_http_requests_total', 'instance, status'), '{{instance}} {{status}}'],
          ['sum by (instance) (parley_http_calls)', '{{instance}} under way'],
        ]),
        panel(
          'Time of an HTTP call',
          's',
          'The wait of long polls of the feed is part of it.',
          quantiles('parley_http_request_duration_seconds'),
        ),
      ],
    },
  ],
}
