import type { Logger } from '#cluster'
import { type AdminApiOptions, adminRoutes, healthRoutes } from './admin/admin-api.ts'
import type { AuditTrail } from './audit/audit-trail.ts'
import { CONVERSATION_ROUTES } from './http/conversation-routes.ts'
import { eventRoutes } from './http/event-routes.ts'
import { HttpApi } from './http/http-api.ts'
import { MESSAGE_ROUTES } from './http/message-routes.ts'
import { pushRoutes } from './http/push-routes.ts'
import type { Route } from './http/route.ts'
import { defineHttpMetrics } from './metrics/http-metrics.ts'
import type { PushSettings } from './push/push-provider.ts'

export interface NodeHttpOptions extends AdminApiOptions {
  readonly version: string
  readonly logger: Logger
  /** What operators do is recorded there. */
  readonly audit: AuditTrail
  /** How this node calls devices that are away; `null`: nobody. */
  readonly push: PushSettings | null
  /** Operators have a listener of their own: what is theirs is not served to clients. */
  readonly isSplit: boolean
}

/** What a node answers over HTTP, by listener. Health stands on both: balancers ask for it. */
export function nodeHttp(options: NodeHttpOptions): {
  readonly clients: HttpApi
  readonly operators: HttpApi
} {
  const { version, logger, isSplit, push, audit } = options
  // Calls are counted over both listeners together.
  const metrics = defineHttpMetrics(options.metrics)
  const apiOf = (routes: readonly Route[]): HttpApi =>
    new HttpApi({ routes, version, logger, metrics, audit })
  const health = healthRoutes(options)
  const clients = [...CONVERSATION_ROUTES, ...MESSAGE_ROUTES, ...eventRoutes(), ...pushRoutes(push)]
  const operators = adminRoutes(options)
  if (!isSplit) {
    const all = apiOf([...health, ...operators, ...clients])
    return { clients: all, operators: all }
  }
  return { clients: apiOf([...health, ...clients]), operators: apiOf([...health, ...operators]) }
}
