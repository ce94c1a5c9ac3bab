import type { MetricsRegistry } from '../metrics/metrics-registry.ts'
import type { ParameterDoc, Route } from '../http/route.ts'
import type { ClusterView } from './cluster-view.ts'
import { CHECKS } from '../failing-checks.ts'
import { livez, readyz, type Readiness } from './health.ts'
import { ACCOUNT_ROUTES } from './account-routes.ts'
import { type BackupRoutesHost, backupRoutes } from './backup-routes.ts'
import { INSPECT_ROUTES } from './inspect-routes.ts'
import { lagRoutes } from './lag-routes.ts'
import { EXPORT_ROUTES } from './export-routes.ts'
import type { ClusterCalls } from './cluster-calls.ts'
import { preflightRoute } from './preflight-route.ts'
import { memberRoutes } from './member-routes.ts'
import { leadershipRoutes } from './leadership-routes.ts'
import { drainRoutes } from './drain-routes.ts'
import { upgradeRoutes } from './upgrade-routes.ts'
import { ADMIN_PROBLEMS } from './operator-call.ts'
import { reloadRoutes } from './reload-routes.ts'
import { reportRoutes } from './report-routes.ts'
import { retentionRoutes } from './retention-routes.ts'
import { type SelfSources, selfRoutes } from './self-routes.ts'
import { SETTINGS_ROUTES } from './settings-routes.ts'
import { traceRoutes } from './trace-routes.ts'
import type { LogReader } from '#cluster'

export interface AdminApiOptions {
  readonly backup: BackupRoutesHost
  readonly readiness: () => Readiness
  /** Called for each request; answers from memory. */
  readonly clusterView: () => ClusterView
  readonly metrics: MetricsRegistry
  /** To other nodes, for operators. */
  readonly calls: ClusterCalls
  readonly self: SelfSources
  /** This node's own, for traces. */
  readonly log: LogReader
  /** `null` but on the leader. */
  readonly logTimeMs: () => number | null
}

const VERBOSE: ParameterDoc = {
  name: 'verbose',
  in: 'query',
  description: 'Names what passes, and what works and yet promises less.',
  schema: { type: 'string' },
}

const EXCLUDE: ParameterDoc = {
  name: 'exclude',
  in: 'query',
  description: 'A check that shall not count, once for each; one that there is not is refused.',
  schema: { enum: CHECKS.map((check) => check.replaceAll(' ', '_')) },
}

/** What the machines around a node ask it. */
export function healthRoutes({ readiness, clusterView }: AdminApiOptions): Route[] {
  return [
    {
      method: 'GET',
      path: '/livez',
      doc: {
        operationId: 'live',
        summary: 'Whether the process runs its event loop, whatever the cluster does',
        answers: { 200: { description: 'It does.' } },
      },
      answer: () => livez(),
    },
    {
      method: 'GET',
      path: '/readyz',
      doc: {
        operationId: 'ready',
        summary: 'Whether the node serves clients',
        parameters: [VERBOSE, EXCLUDE],
        answers: {
          200: { description: 'It does.' },
          400: { description: '`exclude` names no check.' },
          503: { description: 'It does not: one line for each failing check.' },
        },
      },
      answer: ({ request }) =>
        readyz(
          {
            accept: request.accept,
            verbose: request.query.has('verbose'),
            exclude: request.query.getAll('exclude'),
          },
          { readiness: readiness(), checks: CHECKS, warnings: clusterView().warnings },
        ),
    },
  ]
}

/** What an operator and his monitoring ask it. */
export function adminRoutes(options: AdminApiOptions): Route[] {
  return [
    ...viewRoutes(options),
    ...leadershipRoutes(options.calls),
    ...drainRoutes(options.calls),
    ...reloadRoutes(options.calls),
    ...upgradeRoutes(options.calls),
    ...memberRoutes(options.calls),
    preflightRoute(options.calls),
    ...selfRoutes(options.self),
    ...reportRoutes(options.calls, options.metrics),
    ...traceRoutes(options.log, options.calls),
    ...SETTINGS_ROUTES,
    ...ACCOUNT_ROUTES,
    ...EXPORT_ROUTES,
    ...INSPECT_ROUTES,
    ...lagRoutes(),
    ...backupRoutes(options.backup),
    ...retentionRoutes(options.logTimeMs),
  ]
}

function viewRoutes({ clusterView, metrics }: AdminApiOptions): Route[] {
  return [
    {
      method: 'GET',
      path: '/metrics',
      doc: {
        operationId: 'metrics',
        summary: 'Metrics for Prometheus',
        answers: { 200: { description: 'The text format.' } },
      },
      answer: async () => ({
        status: 200,
        contentType: metrics.contentType,
        body: await metrics.text(),
      }),
    },
    {
      method: 'GET',
      path: '/v1/cluster',
      doc: {
        operationId: 'cluster',
        summary: 'How this node sees its cluster, every configured member included',
        role: 'admin',
        answers: { 200: { description: 'Its own view.', schema: { type: 'object' } } },
        problems: ADMIN_PROBLEMS,
      },
      answer: () => ({
        status: 200,
        contentType: 'application/json',
        body: `${JSON.stringify(clusterView())}\n`,
      }),
    },
  ]
}
