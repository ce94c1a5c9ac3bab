import { flushCompileCache } from 'node:module'
import { type Command, Option } from 'commander'
import { CliError, ExitCode } from '../exit-codes.ts'
import { isSet } from '../options/environment.ts'
import { configureNodeOptions, unknownWords } from '../options/node-flags.ts'
import type { Config, ConfigSources, ReadConfig } from '../options/read-config.ts'
import { note } from '../output.ts'
import { watchParent } from '../parent-watch.mjs'
import { catchHangups, onHangup } from '../hangups.ts'
import { onStopSignals } from '../stop-signals.ts'

interface NodeFlags {
  readonly config?: string
  readonly check?: boolean
  readonly printConfig?: boolean
  readonly origin?: boolean
  readonly json?: boolean
}

const HELP = `
A flag wins over the environment, the environment over the file. Sizes are like 64MiB, times like 30s.`

export function configure(command: Command): void {
  configureNodeOptions(command)
  const group = 'Configuration:'
  const options = [
    new Option(
      '--config <file>',
      'YAML or JSON with options by name, userRate for --user-rate (env: PARLEY_CONFIG)',
    ),
    new Option('--check', 'say whether the configuration is right, and stop'),
    new Option('--print-config', 'print the configuration that a node would run with, and stop'),
    new Option('--origin', 'with --print-config: a table, with where each value comes from'),
    new Option('--json', 'with --print-config: one JSON document'),
  ]
  for (const option of options) command.addOption(option.helpGroup(group))
  command.addHelpText('after', HELP).action(run)
}

async function run(flags: NodeFlags, command: Command): Promise<void> {
  // One that comes before there is anything to reload must not end the process.
  catchHangups()
  const { readConfig } = await import('../options/read-config.ts')
  const variable = process.env['PARLEY_CONFIG']
  const sources: ConfigSources = {
    flags: command.opts(),
    environment: process.env,
    file: flags.config ?? (isSet(variable) ? variable : null),
  }
  const config = configOf(await readConfig(sources), flags, command)
  if (flags.printConfig === true) {
    const { printConfig } = await import('../options/print-config.ts')
    await printConfig(config, { withOrigin: flags.origin === true, json: flags.json === true })
  } else if (flags.check === true) {
    const { checkServer } = await import('#node')
    const { serverOptions } = await import('../options/server-options.ts')
    await checkServer(serverOptions(config.values)).catch(failStart)
    note('parley: the configuration is right; nothing was started')
  } else await serve(config, sources)
}

function configOf(read: ReadConfig, flags: NodeFlags, command: Command): Config {
  const faults = [...unknownWords(command), ...('faults' in read ? read.faults : [])]
  if (flags.printConfig !== true && (flags.origin ?? flags.json) === true) {
    faults.push('--origin and --json are for --print-config')
  }
  if (flags.printConfig === true && flags.check === true) {
    faults.push('--check and --print-config are both given: choose one')
  }
  if ('config' in read && faults.length === 0) {
    for (const warning of read.warnings) note(`parley: warning: ${warning}`)
    return read.config
  }
  const [first, ...others] = faults
  if (others.length === 0) throw new CliError(ExitCode.usage, `${first} (see parley node --help)`)
  const list = faults.map((fault) => `\n  ${fault}`).join('')
  throw new CliError(
    ExitCode.usage,
    `${faults.length} things are wrong with the configuration, nothing was started (see parley node --help):${list}`,
  )
}

async function serve(config: Config, sources: ConfigSources): Promise<void> {
  const { startServer } = await import('#node')
  const { rereadOptions } = await import('../options/reread-options.ts')
  const { serverOptions } = await import('../options/server-options.ts')
  const reread = rereadOptions(config, sources)
  const server = await startServer(serverOptions(config.values), reread).catch(failStart)
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
  // A terminal that is closed hangs up as well, and takes the node with it.
  onHangup(() => (process.stdin.isTTY ? drain() : void server.reload()))
  watchParent(drain)
  // The end of the server is the end of the process, whatever is still open.
  const why = await server.stopped
  process.exit(why === null ? ExitCode.ok : codeOf(why))
}

/** Says why and ends the process, whatever the half-started node may have left open. */
function failStart(error: unknown): never {
  const bug = isBug(error)
  const text = error instanceof Error ? (bug ? error.stack : error.message) : String(error)
  process.stderr.write(`parley: ${bug ? 'unexpected error\n' : ''}${text}\n`)
  process.exit(codeOf(error))
}

/** Whoever starts nodes again reads this: only what ends with `failed` may mend itself. */
function codeOf(error: unknown): ExitCode {
  const { isDamage, isRefused } = error as { isDamage?: unknown; isRefused?: unknown }
  if (isDamage === true) return ExitCode.unhealthy
  return isRefused === true ? ExitCode.refused : ExitCode.failed
}

/** A mistake of this program needs its stack; anything else is a sentence for an operator. */
function isBug(error: unknown): boolean {
  const bugs = ['TypeError', 'ReferenceError', 'RangeError', 'SyntaxError', 'AssertionError']
  return error instanceof Error && bugs.includes(error.name) && !('code' in error)
}
