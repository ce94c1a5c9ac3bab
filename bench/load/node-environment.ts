/** As development nodes are started. */
export const NODE_ENVIRONMENT: Readonly<Record<string, string>> = {
  NODE_ENV: 'production',
  PARLEY_LOG_LEVEL: 'warn',
  NODE_OPTIONS: '--max-semi-space-size=8',
  MALLOC_ARENA_MAX: '2',
}
