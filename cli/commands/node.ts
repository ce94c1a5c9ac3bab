import { readFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { type Command, Option } from 'commander'
import { isAddress, parseMembers } from '../cluster/initial-members.ts'
import { parseDuration } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { watchParent } from '../parent-watch.mjs'
import { onStopSignals } from '../stop-signals.ts'
import type { ServerOptions } from '#node'

interface NodeFlags {
  readonly name?: string
  readonly listen?: string
  readonly peerListen?: string
  readonly data?: string
  readonly initialMembers?: string
  readonly dev?: boolean
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
  readonly logLevel: ServerOptions['logLevel']
  readonly logSegmentBytes?: string
  readonly checkpointBytes?: string
  readonly unsafeFailpoints?: string
  readonly config?: string
}

const LEVELS: readonly ServerOptions['logLevel'][] = ['debug', 'info', 'warn', 'error', 'silent']

const ORIGIN_OPTIONS = [
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
] as const

const TOKEN_OPTIONS = [
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
] as const

const FILTER_OPTIONS = [
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

export function configure(command: Command): void {
  const option = (flags: string, description: string, env: string) =>
    new Option(flags, description).env(env)
  command
    .addOption(option('--name <name>', 'this node, as its peers call it', 'PARLEY_NAME'))
    .addOption(option('--listen <host:port>', 'where clients reach it', 'PARLEY_LISTEN'))
    .addOption(option('--peer-listen <host:port>', 'where peers reach it', 'PARLEY_PEER_LISTEN'))
    .addOption(option('--data <directory>', 'where it keeps everything', 'PARLEY_DATA'))
    .addOption(
      option(
        '--initial-members <members>',
        'every member at formation, this one too: n1=host:port/host:peer-port,n2=…',
        'PARLEY_INITIAL_MEMBERS',
      ),
    )
    .addOption(
      option('--dev', 'trust a user without a token from this machine', 'PARLEY_DEV').default(
        false,
      ),
    )
  const described = [...ORIGIN_OPTIONS, ...TOKEN_OPTIONS, ...FILTER_OPTIONS]
  for (const [flags, description, env] of described) {
    command.addOption(option(flags, description, env))
  }
  command
    .addOption(
      option(
        '--moderation-failure <policy>',
        'without an answer: open lets messages through, closed asks to try again (default: closed)',
        'PARLEY_MODERATION_FAILURE',
      ).choices(['open', 'closed']),
    )
    .addOption(
      option('--log-level <level>', 'least severe lines to write', 'PARLEY_LOG_LEVEL')
        .choices(LEVELS)
        .default('info'),
    )
    .addOption(
      option(
        '--log-segment-bytes <bytes>',
        'size of a log file (default: 67108864)',
        'PARLEY_LOG_SEGMENT_BYTES',
      ),
    )
    .addOption(
      option(
        '--checkpoint-bytes <bytes>',
        'bytes of messages between two checkpoints (default: 33554432)',
        'PARLEY_CHECKPOINT_BYTES',
      ),
    )
    .addOption(
      option(
        '--unsafe-failpoints <spec>',
        'fail on purpose: for drills',
        'PARLEY_UNSAFE_FAILPOINTS',
      ),
    )
    .addOption(
      option('--config <file>', 'JSON file with the options above, in camelCase', 'PARLEY_CONFIG'),
    )
    .addHelpText('after', '\nA flag wins over the environment, the environment over the file.')
    .action(run)
}

async function run(_flags: NodeFlags, command: Command): Promise<void> {
  const flags = withFile(command)
  const options: ServerOptions = {
    name: required(flags.name, '--name'),
    listen: address(flags.listen, '--listen'),
    peerListen: address(flags.peerListen, '--peer-listen'),
    dataDirectory: required(flags.data, '--data'),
    initialMembers: parseMembers(required(flags.initialMembers, '--initial-members')),
    dev: flags.dev === true,
    origins: {
      allowedOrigins: listOf(flags.allowedOrigins).map(origin),
      allowedHosts: listOf(flags.allowedHosts),
    },
    tokens: tokenOptions(flags),
    ...filterOptions(flags),
    logLevel: flags.logLevel,
    ...bytes('logSegmentBytes', flags.logSegmentBytes, 4096, 2 ** 30),
    ...bytes('checkpointBytes', flags.checkpointBytes, 4096, 2 ** 30),
    ...(flags.unsafeFailpoints === undefined ? {} : { unsafeFailpoints: flags.unsafeFailpoints }),
  }
  if (!options.initialMembers.some((member) => member.name === options.name)) {
    throw new CliError(ExitCode.usage, `--initial-members must name this node, ${options.name}`)
  }
  const { startServer } = await import('#node')
  const server = await startServer(options).catch(failStart)
  // Not left to the end of the process, which `kill -9` never reaches: the next start would compile
  // everything again, half a second of CPU.
  flushCompileCache()
  let draining = false
  const drain = () => {
    if (draining) return
    draining = true
    server.drain().catch((error: unknown) => {
      process.stderr.write(`parley: drain failed: ${String(error)}\n`)
      process.exit(ExitCode.failed)
    })
  }
  // A second one means: at once. Everything acknowledged is on disk already.
  onStopSignals(['SIGTERM', 'SIGINT'], {
    stop: drain,
    stopNow: () => process.exit(ExitCode.failed),
  })
  watchParent(drain)
  // The end of the server is the end of the process, whatever is still open.
  process.exit(await server.stopped)
}

/** Says why and ends the process, whatever the half-started node may have left open. */
function failStart(error: unknown): never {
  const bug = isBug(error)
  const text = error instanceof Error ? (bug ? error.stack : error.message) : String(error)
  process.stderr.write(`parley: ${bug ? 'unexpected error\n' : ''}${text}\n`)
  const isRefused = error instanceof Error && 'isRefused' in error && error.isRefused === true
  process.exit(isRefused ? ExitCode.refused : ExitCode.failed)
}

/** A mistake of this program needs its stack; anything else is a sentence for an operator. */
function isBug(error: unknown): boolean {
  const bugs = ['TypeError', 'ReferenceError', 'RangeError', 'SyntaxError', 'AssertionError']
  return error instanceof Error && bugs.includes(error.name) && !('code' in error)
}

/** Adds what the configuration file says to what flags and environment left open. */
function withFile(command: Command): NodeFlags {
  const path = command.opts<NodeFlags>().config
  if (path === undefined) return command.opts<NodeFlags>()
  let file: Record<string, unknown>
  try {
    file = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
  } catch (error) {
    throw new CliError(ExitCode.usage, `cannot read ${path}: ${(error as Error).message}`)
  }
  for (const [key, value] of Object.entries(file)) {
    const known = command.options.find((option) => option.attributeName() === key)
    if (known === undefined) throw new CliError(ExitCode.usage, `${path}: unknown option ${key}`)
    const expected = known.isBoolean() ? 'boolean' : 'string'
    if (typeof value !== expected) {
      throw new CliError(ExitCode.usage, `${path}: ${key} must be a ${expected}`)
    }
    if (known.argChoices && !known.argChoices.includes(value as string)) {
      throw new CliError(
        ExitCode.usage,
        `${path}: ${key} must be one of ${known.argChoices.join(', ')}`,
      )
    }
    const source = command.getOptionValueSource(key)
    if (source === undefined || source === 'default') {
      command.setOptionValueWithSource(key, value, 'config')
    }
  }
  return command.opts<NodeFlags>()
}

/** The secret itself is taken from the environment only: flags are seen by who lists processes. */
function tokenOptions(flags: NodeFlags): NonNullable<ServerOptions['tokens']> {
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

function filterOptions(flags: NodeFlags): Pick<ServerOptions, 'rates' | 'moderation'> {
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

/** As browsers send it. */
function origin(text: string): string {
  const parsed = URL.canParse(text) ? new URL(text).origin : null
  if (parsed === text) return text
  const like = parsed === null || parsed === 'null' ? 'https://chat.example.org' : parsed
  throw new CliError(ExitCode.usage, `--allowed-origins takes origins like ${like}, not "${text}"`)
}

function durationOf(text: string, flag: string): number {
  try {
    return parseDuration(text)
  } catch {
    throw new CliError(ExitCode.usage, `${flag} must be like 250ms, 10s or 5m, not "${text}"`)
  }
}

function bytes(name: string, text: string | undefined, least: number, most: number) {
  if (text === undefined) return {}
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
    throw new CliError(
      ExitCode.usage,
      `${flag} must be from ${least} to ${most} bytes, not ${text}`,
    )
  }
  return { [name]: value }
}

function address(value: string | undefined, flag: string): string {
  const text = required(value, flag)
  if (isAddress(text)) return text
  throw new CliError(ExitCode.usage, `${flag} must be host:port, not "${text}"`)
}

function required(value: string | undefined, flag: string): string {
  if (value === undefined || value === '') {
    throw new CliError(ExitCode.usage, `${flag} is missing (see parley node --help)`)
  }
  return value
}
