import type { NodeSettings } from './node-settings.ts'

/** What a running node takes anew, all of it at once: who may speak to it, how much, and who judges. */
export type LiveSettings = Pick<
  NodeSettings,
  'origins' | 'tokens' | 'rates' | 'moderation' | 'gateway' | 'isTrustedProxy'
>
