import { readFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { type Command, Option } from 'commander'
import { isAddress, parseMembers } from '../cluster/initial-members.ts'
import { accessOptions, type AccessFlags, configureAccess } from '../node-access.ts'
import { configurePush, type PushFlags, pushOptions } from '../node-push.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { watchParent } from '../parent-watch.mjs'
import { onStopSignals } from '../stop-signals.ts'
import type { ServerOptions } from '#node'

interface NodeFlags extends AccessFlags, PushFlags {
  readonly name?: string
  readonly listen?: string
  readonly adminListen?: string
  readonly peerListen?: string
  readonly data?: string
  readonly initialMembers?: string
  readonly foundAlone?: boolean
  readonly dev?: boolean
  readonly logLevel: ServerOptions['logLevel']
  readonly logSegmentBytes?: string
  readonly checkpointBytes?: string
  readonly unsafeFailpoints?: string
  readonly config?: string
}

const LEVELS: readonly ServerOptions['logLevel'][] = ['debug', 'info', 'warn', 'error', 'silent']

export function configure(command: Command): void {
  const option = (flags: string, description: string, env: string) =>
    new Option(flags, description).env(env)
  command
    .addOption(option('--name <name>', 'this node, as its peers call it', 'PARLEY_NAME'))
    .addOption(option('--listen <host:port>', 'where clients reach it', 'PARLEY_LISTEN'))
    .addOption(
      option(
        '--admin-listen <host:port>',
        'where metrics and operators reach it (default: where clients do)',
        'PARLEY_ADMIN_LISTEN',
      ),
    )
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
      option(
        '--found-alone',
        'with an empty directory: found a cluster of this one node',
        'PARLEY_FOUND_ALONE',
      ).default(false),
    )
    .addOption(
      option('--dev', 'trust a user without a token from this machine', 'PARLEY_DEV').default(
        false,
      ),
    )
  configureAccess(command)
  configurePush(command)
  command
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
    ...(flags.adminListen === undefined
      ? {}
      : { adminListen: address(flags.adminListen, '--admin-listen') }),
    peerListen: address(flags.peerListen, '--peer-listen'),
    dataDirectory: required(flags.data, '--data'),
    initialMembers: parseMembers(required(flags.initialMembers, '--initial-members')),
    dev: flags.dev === true,
    ...(flags.foundAlone === true ? { foundAlone: true } : {}),
    ...accessOptions(flags),
    push: pushOptions(flags),
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
