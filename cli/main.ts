import { Command, CommanderError } from 'commander'
import { caFileOption, trustAuthorities } from './certs/trust-authorities.ts'
import { CliError, ExitCode } from './exit-codes.ts'
import { version } from './version.ts'

/** A command's module: says its arguments and options and what it does. Loaded when it is asked for. */
interface CommandModule {
  configure(command: Command): void
}

const COMMANDS: Record<string, { summary: string; load: () => Promise<CommandModule> }> = {
  backup: {
    summary: 'write a backup of the running cluster, or verify one',
    load: () => import('./commands/backup.ts'),
  },
  bench: {
    summary: 'load a cluster, measure it, and prove that nothing was lost',
    load: () => import('./commands/bench.ts'),
  },
  dev: {
    summary: 'run a cluster on this machine, and break it',
    load: () => import('./commands/dev.ts'),
  },
  capacity: {
    summary: 'say how long disks, memory and the highest rate suffice',
    load: () => import('./commands/capacity.ts'),
  },
  certs: {
    summary: 'make, renew and show certificates, and the secret of a cluster',
    load: () => import('./commands/certs.ts'),
  },
  conversation: {
    summary: 'look at a conversation and its events, or export what it keeps',
    load: () => import('./commands/conversation.ts'),
  },
  debug: {
    summary: 'put what there is to know of a cluster into one file, without secrets',
    load: () => import('./commands/debug.ts'),
  },
  doctor: {
    summary: 'look for causes of trouble, and say what to do next',
    load: () => import('./commands/doctor.ts'),
  },
  drain: {
    summary: 'send the clients and the leadership of a node elsewhere',
    load: () => import('./commands/drain.ts'),
  },
  drill: {
    summary: 'break real nodes under load, again and again, and judge what clients saw',
    load: () => import('./commands/drill.ts'),
  },
  lag: {
    summary: 'show how far nodes, devices, users or conversations are behind',
    load: () => import('./commands/lag.ts'),
  },
  members: {
    summary: 'show the members, add, remove or replace one, or ask whether a node may stop',
    load: () => import('./commands/members.ts'),
  },
  node: { summary: 'run one node', load: () => import('./commands/node.ts') },
  status: {
    summary: 'say whether the cluster is healthy, and show its nodes',
    load: () => import('./commands/status.ts'),
  },
  recover: {
    summary: 'go on from one survivor, when a majority of the disks is gone for good',
    load: () => import('./commands/recover.ts'),
  },
  reload: {
    summary: 'have a node read its configuration again',
    load: () => import('./commands/reload.ts'),
  },
  restore: {
    summary: 'make a new cluster from a backup',
    load: () => import('./commands/restore.ts'),
  },
  retention: {
    summary: 'say what retention would remove, and remove nothing',
    load: () => import('./commands/retention.ts'),
  },
  roll: {
    summary: 'restart the nodes one after the other, with nobody noticing',
    load: () => import('./commands/roll.ts'),
  },
  send: { summary: 'send a message', load: () => import('./commands/send.ts') },
  settings: {
    summary: 'show or change what every node decides by',
    load: () => import('./commands/settings.ts'),
  },
  sim: {
    summary: 'break simulated clusters, seed by seed, and judge what they did',
    load: () => import('./commands/sim.ts'),
  },
  tail: { summary: 'print messages as they arrive', load: () => import('./commands/tail.ts') },
  trace: {
    summary: 'tell the life of one message, without what it says',
    load: () => import('./commands/trace.ts'),
  },
  token: {
    summary: 'make tokens and keys for them, or revoke tokens',
    load: () => import('./commands/token.ts'),
  },
  transfer: {
    summary: 'have another node lead',
    load: () => import('./commands/transfer.ts'),
  },
  undrain: {
    summary: 'let a drained node take clients again',
    load: () => import('./commands/undrain.ts'),
  },
  upgrade: {
    summary: 'show how far an upgrade is, and end it',
    load: () => import('./commands/upgrade.ts'),
  },
  user: {
    summary: 'erase what a user said',
    load: () => import('./commands/user.ts'),
  },
  verify: {
    summary: 'check the data directory of a stopped node, and change nothing',
    load: () => import('./commands/verify.ts'),
  },
}

/** Runs one command line and gives the exit code. Never rejects. */
export async function main(argv: readonly string[]): Promise<number> {
  // Stays: what was written last fails after this function is done.
  if (!process.stdout.listeners('error').includes(endOnClosedPipe)) {
    process.stdout.on('error', endOnClosedPipe)
  }
  try {
    const program = await buildProgram(argv)
    await program.parseAsync(argv, { from: 'user' })
    return ExitCode.ok
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage
    if (error instanceof CliError) {
      if (error.message !== '') process.stderr.write(`parley: ${error.message}\n`)
      return error.exitCode
    }
    if (isOfTheSystem(error)) {
      process.stderr.write(`parley: ${error.message}\n`)
      return ExitCode.failed
    }
    process.stderr.write(`parley: unexpected error\n${describe(error)}\n`)
    return ExitCode.failed
  }
}

async function buildProgram(argv: readonly string[]): Promise<Command> {
  const program = new Command('parley')
    .description('A durable message store for chat: sent means a majority has it on disk.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'say what there is')
    .exitOverride()
    .addOption(caFileOption())
    .helpCommand('help [command]', 'say what a command does')
    .configureHelp({ showGlobalOptions: false })
    // One voice: a wrong option is told like everything else that went wrong.
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'parley: ')),
    })
  program.hook('preAction', () => trustAuthorities(program.opts<{ caFile?: string }>().caFile))
  program.addHelpText(
    'after',
    '\nExit codes: 0 ok, 1 failed, 3 unhealthy, 4 outcome unknown, 5 refused, 64 usage.',
  )
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    const command = program.command(name).summary(summary).description(summary)
    // Which word is the command only the parser can tell; all others need not be loaded.
    if (argv.includes(name)) (await load()).configure(command)
  }
  return program
}

/** A file that may not be read, a disk that is full: a sentence says it, a stack would not help. */
function isOfTheSystem(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

/** `parley tail | head -1`: the reader has gone, and so has the reason to run. */
function endOnClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(ExitCode.ok)
  throw error
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))
