import type { Clock, Logger } from '#cluster'
import { type Authenticator, DevAuthenticator } from '../gateway/auth.ts'
import type { NodeSettings } from '../node-settings.ts'
import type { StateReader } from '../state-machine/types.ts'
import { TokenAuthenticator } from './token-authenticator.ts'

/** Believes tokens if an operator says which, and in dev mode whoever connects from this machine. */
export function newAuthenticator(
  { dev, tokens }: Pick<NodeSettings, 'dev' | 'tokens'>,
  clock: Clock,
  logger: Logger,
  state: StateReader,
): Authenticator {
  const others = new DevAuthenticator({ dev })
  if (tokens === undefined) return others
  const revokedBefore = state.revokedBefore.bind(state)
  return new TokenAuthenticator(tokens, { clock, logger, others, revokedBefore })
}
