import { type Command, InvalidArgumentError } from 'commander'
import { askSupervisor } from '../dev/control-client.ts'
import { defaultDataDirectory } from '../dev/data-directory.ts'
import type { ControlRequest } from '../dev/control-server.ts'
import { DEV_ACTIONS, type DevAction } from '../dev/dev-events.ts'
import { describeResult } from '../dev/dev-report.ts'
import { runDev } from '../dev/run-dev.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { print, printJson } from '../output.ts'

interface DevFlags {
  readonly nodes?: number
  readonly port?: number
  readonly data?: string
  readonly json?: boolean
}

const SUMMARIES: Record<DevAction, string> = {
  kill: 'kill -9 a node; it stays down until start',
  stop: 'let a node drain and end',
  start: 'start a node again, or all that are down',
  pause: 'freeze a node (SIGSTOP): it holds its connections and does nothing',
  resume: 'let a paused node go on, or all of them',
  partition: 'hold up what a node and the others say to each other, until heal',
  heal: 'let everything through again, or what one node is concerned with',
}

const PARTITION_HELP = `
Examples:
  parley dev partition              the leader hears nobody and nobody hears it; another one takes over
  parley dev partition n1 n2        these two do not reach each other, all others reach both
  parley dev partition n1,n2 --one-way

Clients still reach every node. Cuts add up, and outlast the end and the start of a node, until heal.`

export function configure(command: Command): void {
  command
    .option('--nodes <count>', 'how many nodes (first start: 3)', integer(1, 9))
    .option('--port <port>', 'client port of the first one (first start: 7401)', integer(1, 65_400))
    .option('--data <directory>', 'where everything is kept (default: .parley)')
    .option('--json', 'one event per line on stdout')
    .allowExcessArguments()
    .action((flags: DevFlags, self: Command) => {
      const [word] = self.args
      if (word !== undefined) throw unknownAction(word)
      return runDev({
        directory: flags.data ?? defaultDataDirectory(),
        json: flags.json === true,
        ...(flags.nodes === undefined ? {} : { nodes: flags.nodes }),
        ...(flags.port === undefined ? {} : { port: flags.port }),
      })
    })
  for (const action of DEV_ACTIONS) {
    const isForAll = ['start', 'resume', 'heal'].includes(action)
    const target = isForAll ? 'every node it fits' : 'leader'
    const sub = command
      .command(action)
      .summary(SUMMARIES[action])
      .description(`${SUMMARIES[action]}.`)
      .argument('[node]', `leader, or a name like n2 (default: ${target})`)
      .option('--data <directory>', 'of the cluster that is meant (default: the one around here)')
      .option('--json', 'one JSON document')
      // The parent takes any word, to say what it has instead; here a second node would be ignored.
      .allowExcessArguments(false)
    if (action === 'partition') {
      sub
        .argument('[others]', 'whom it is cut off from, like n2 or n2,n3 (default: all others)')
        .option('--one-way', 'it still hears them, they do not hear it')
        .addHelpText('after', PARTITION_HELP)
    }
    sub.action(() => {
      const [target, others] = sub.args
      const { oneWay, ...flags } = sub.optsWithGlobals<DevFlags & { oneWay?: boolean }>()
      return act({ action, target, others, oneWay }, flags)
    })
  }
}

async function act(request: ControlRequest, flags: DevFlags): Promise<void> {
  const result = await askSupervisor(request, flags.data)
  if (flags.json === true) printJson(result)
  else if (result.ok) print(describeResult(result))
  if (!result.ok) {
    const code = result.usage ? ExitCode.usage : ExitCode.failed
    throw new CliError(code, flags.json === true ? '' : result.message)
  }
}

function unknownAction(word: string): CliError {
  const similar = DEV_ACTIONS.find((action) => action.startsWith(word.slice(0, 2)))
  const hint =
    similar === undefined ? `there are ${DEV_ACTIONS.join(', ')}` : `did you mean ${similar}?`
  return new CliError(ExitCode.usage, `parley dev cannot "${word}": ${hint}`)
}

function integer(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < low || value > high) {
      throw new InvalidArgumentError(`Must be an integer from ${low} to ${high}.`)
    }
    return value
  }
}
