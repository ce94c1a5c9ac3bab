import { diskLimitsOf, type NodeSettings } from '../node-settings.ts'

/** What a node runs with, as it is shown to operators and to whom they send a bundle. */
export type SettingsView = Readonly<Record<string, unknown>>

/**
 * Names one by one what may be seen: whatever is added to the settings stays hidden until somebody
 * decided that it is no secret. Of keys, hooks and providers only that they are there.
 */
export function settingsView(settings: NodeSettings): SettingsView {
  const { tokens, moderation, push } = settings
  return {
    name: settings.name,
    listen: settings.listen,
    adminListen: settings.adminListen ?? null,
    peerListen: settings.peerListen,
    dataDirectory: settings.dataDirectory,
    initialMembers: settings.initialMembers.map(({ name, clientUrl, peerAddress }) => ({
      ...{ name, clientUrl, peerAddress },
    })),
    foundAlone: settings.foundAlone ?? false,
    dev: settings.dev,
    origins: settings.origins ?? {},
    hasTokenKeys: tokens !== undefined,
    rates: settings.rates ?? null,
    moderation:
      moderation === undefined
        ? null
        : { timeoutMs: moderation.timeoutMs, onFailure: moderation.onFailure },
    hasPush: push !== undefined,
    version: settings.version,
    disk: diskLimitsOf(settings),
    log: settings.log ?? {},
    state: settings.state ?? {},
    replica: settings.replica ?? {},
    gateway: settings.gateway ?? {},
    auditEveryEntries: settings.auditEveryEntries ?? null,
    unsafeFailpoints: settings.unsafeFailpoints ?? null,
  }
}
