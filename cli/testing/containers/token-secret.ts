import type { GenericContainer } from 'testcontainers'

const FILE = '/secrets/token-secret'

/**
 * Nodes take secrets from files alone, which nobody else may read; a file that is copied into a
 * container belongs to root. So the node's own user writes it, at every start.
 */
export function withTokenSecret<Container extends GenericContainer>(
  container: Container,
  secret: string,
): Container {
  const script = [
    `umask 077; printf %s "$TEST_TOKEN_SECRET" >${FILE}; unset TEST_TOKEN_SECRET`,
    'exec node /parley/cli/parley.mjs node',
  ]
  return container
    .withEnvironment({
      TEST_TOKEN_SECRET: secret,
      PARLEY_TOKEN_SECRET_FILE: FILE,
      // Peers derive keys of their own from it.
      PARLEY_CLUSTER_SECRET_FILE: FILE,
    })
    .withEntrypoint(['sh', '-ec', script.join('\n')])
}
