import { ACCOUNT_ROUTES } from '../admin/account-routes.ts'
import { type AdminApiOptions, adminRoutes } from '../admin/admin-api.ts'
import { SETTINGS_ROUTES } from '../admin/settings-routes.ts'
import type { PushSettings } from '../push/push-provider.ts'
import { CONVERSATION_ROUTES } from './conversation-routes.ts'
import { eventRoutes } from './event-routes.ts'
import { MESSAGE_ROUTES } from './message-routes.ts'
import { pushRoutes } from './push-routes.ts'
import type { Route } from './route.ts'

/** Everything that a node answers over HTTP. */
export function nodeRoutes(admin: AdminApiOptions, push: PushSettings | null): Route[] {
  return [
    ...adminRoutes(admin),
    ...SETTINGS_ROUTES,
    ...ACCOUNT_ROUTES,
    ...CONVERSATION_ROUTES,
    ...MESSAGE_ROUTES,
    ...eventRoutes(),
    ...pushRoutes(push),
  ]
}
