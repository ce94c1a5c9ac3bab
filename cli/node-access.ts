import { type Command, Option } from 'commander'
import { parseDuration } from './duration.ts'
import { CliError, ExitCode } from './exit-codes.ts'
import type { ServerOptions } from '#node'

/** What an operator says of who may speak to a node, how often, and who judges what is said. */
export interface AccessFlags {
  readonly allowedOrigins?: string
  readonly allowedHosts?: string
  readonly tokenSecretFile?: string
  readonly tokenPublicKeyFile?: string
  readonly jwksUrl?: string
  readonly tokenIssuer?: string
  readonly tokenAudience?: string
  readonly tokenLeeway?: string
  readonly userRate?: string
  readonly deviceRate?: string
  readonly moderationUrl?: string
  readonly moderationTimeout?: string
  readonly moderationFailure?: 'open' | 'closed'
}

const OPTIONS = [
  [
    '--allowed-origins <origins>',
    'web pages that may connect, like https://chat.example.org; several with commas',
    'PARLEY_ALLOWED_ORIGINS',
  ],
  [
    '--allowed-hosts <names>',
    'host names under which clients reach this node; several with commas',
    'PARLEY_ALLOWED_HOSTS',
  ],
  [
    '--token-secret-file <files>',
    'secrets for HS256 tokens, of at least 32 bytes; several with commas',
    'PARLEY_TOKEN_SECRET_FILE',
  ],
  [
    '--token-public-key-file <files>',
    'Ed25519 public keys for tokens, PEM or JWK; several with commas',
    'PARLEY_TOKEN_PUBLIC_KEY_FILE',
  ],
  ['--jwks-url <url>', 'published keys for tokens: https: or file:', 'PARLEY_JWKS_URL'],
  ['--token-issuer <text>', 'iss that every token must have', 'PARLEY_TOKEN_ISSUER'],
  ['--token-audience <text>', 'aud that every token must have', 'PARLEY_TOKEN_AUDIENCE'],
  ['--token-leeway <duration>', 'how far clocks may differ (default: 30s)', 'PARLEY_TOKEN_LEEWAY'],
  [
    '--user-rate <writes>',
    'writes per second of one user here (default: 200, none with --dev)',
    'PARLEY_USER_RATE',
  ],
  [
    '--device-rate <writes>',
    'writes per second of one device here (default: 100, none with --dev)',
    'PARLEY_DEVICE_RATE',
  ],
  [
    '--moderation-url <url>',
    'asked about each message before it is stored',
    'PARLEY_MODERATION_URL',
  ],
  [
    '--moderation-timeout <duration>',
    'how long its answer may take (default: 1s)',
    'PARLEY_MODERATION_TIMEOUT',
  ],
] as const

export function configureAccess(command: Command): void {
  for (const [flags, description, env] of OPTIONS) {
    command.addOption(new Option(flags, description).env(env))
  }
  command.addOption(
    new Option(
      '--moderation-failure <policy>',
      'without an answer: open lets messages through, closed asks to try again (default: closed)',
    )
      .env('PARLEY_MODERATION_FAILURE')
      .choices(['open', 'closed']),
  )
}

/** @throws CliError naming the flag that is wrong */
export function accessOptions(
  flags: AccessFlags,
): Pick<ServerOptions, 'origins' | 'tokens' | 'rates' | 'moderation'> {
  return { origins: originOptions(flags), tokens: tokenOptions(flags), ...filterOptions(flags) }
}

function originOptions(flags: AccessFlags): NonNullable<ServerOptions['origins']> {
  return {
    allowedOrigins: listOf(flags.allowedOrigins).map(origin),
    allowedHosts: listOf(flags.allowedHosts),
  }
}

/** The secret itself is taken from the environment only: flags are seen by who lists processes. */
function tokenOptions(flags: AccessFlags): NonNullable<ServerOptions['tokens']> {
  const { tokenSecretFile, tokenPublicKeyFile, jwksUrl, tokenIssuer, tokenAudience } = flags
  const secret = process.env['PARLEY_TOKEN_SECRET']
  const leeway = flags.tokenLeeway
  return {
    secretFiles: listOf(tokenSecretFile),
    publicKeyFiles: listOf(tokenPublicKeyFile),
    ...(secret === undefined || secret === '' ? {} : { secret }),
    ...(jwksUrl === undefined ? {} : { jwksUrl }),
    ...(tokenIssuer === undefined ? {} : { issuer: tokenIssuer }),
    ...(tokenAudience === undefined ? {} : { audience: tokenAudience }),
    ...(leeway === undefined ? {} : { leewayMs: durationOf(leeway, '--token-leeway') }),
  }
}

function filterOptions(flags: AccessFlags): Pick<ServerOptions, 'rates' | 'moderation'> {
  const { userRate, deviceRate, moderationUrl: url, moderationTimeout, moderationFailure } = flags
  return {
    rates: {
      ...(userRate === undefined ? {} : { user: rateOf(userRate, '--user-rate') }),
      ...(deviceRate === undefined ? {} : { device: rateOf(deviceRate, '--device-rate') }),
    },
    ...(url === undefined
      ? {}
      : {
          moderation: {
            url,
            onFailure: moderationFailure ?? 'closed',
            timeoutMs: durationOf(moderationTimeout ?? '1s', '--moderation-timeout'),
          },
        }),
  }
}

function rateOf(text: string, flag: string): number {
  const rate = Number(text)
  if (rate > 0 && rate <= 1_000_000) return rate
  throw new CliError(
    ExitCode.usage,
    `${flag} must be writes per second, up to 1000000, not "${text}"`,
  )
}

const listOf = (text: string | undefined): string[] =>
  (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

function durationOf(text: string, flag: string): number {
  try {
    return parseDuration(text)
  } catch {
    throw new CliError(ExitCode.usage, `${flag} must be like 250ms, 10s or 5m, not "${text}"`)
  }
}

/** As browsers send it. */
function origin(text: string): string {
  const parsed = URL.canParse(text) ? new URL(text).origin : null
  if (parsed === text) return text
  const like = parsed === null || parsed === 'null' ? 'https://chat.example.org' : parsed
  throw new CliError(ExitCode.usage, `--allowed-origins takes origins like ${like}, not "${text}"`)
}
