import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { CliError, ExitCode } from '../exit-codes.ts'
import { tokenHeaders } from '../token-file.ts'
import { type ClusterStatus, judge, type NodeStatus } from './cluster-status.ts'
import { collectViews } from './collect-views.ts'
import { beginDrain, drainLine, endDrain, waitDrained } from './drain-node.ts'

const LOOK_MS = 250
const NODE_TIMEOUT_MS = 1_000
/** With this much to apply it may be the next leader. */
const MAX_LAG = 100
/** A node that runs and is drained for so long after its command was not restarted by it. */
const NOT_RESTARTED_MS = 10_000

export interface RollOptions {
  readonly urls: readonly string[]
  readonly tokenFile?: string | undefined
  /** With `{node}` and `{url}` in it; no shell looks at it. */
  readonly command: readonly string[]
  /** Only these, in this order. @default all, whoever leads last */
  readonly only: readonly string[] | null
  readonly dryRun: boolean
  /** For each node to be drained, and to be back. */
  readonly timeoutMs: number
  readonly say: (line: string) => void
}

/** What one node was away. */
export interface Rolled {
  readonly node: string
  readonly drainMs: number
  readonly commandMs: number
  readonly backMs: number
}

/**
 * Does something to one node after the other while the rest serve: only with all of them up, each
 * drained before and caught up after. Stops at the first that is not as it should be.
 *
 * @throws CliError
 */
export async function rollNodes(options: RollOptions): Promise<readonly Rolled[]> {
  const { say, dryRun } = options
  const first = await healthyStatus(options, 'refused before anything was done')
  const order = orderOf(first, options.only)
  const done: Rolled[] = []
  for (const node of order) {
    const status = await healthyStatus(options, `stopped before ${node}`)
    const line = commandOf(options.command, node, urlOf(status, node))
    if (dryRun) {
      await beginDrain(node, callOf(options, status), true)
      say(`${node} would be drained, then: ${line.join(' ')}`)
    } else done.push(await rollOne(node, line, status, options))
  }
  return done
}

async function rollOne(
  node: string,
  line: readonly string[],
  status: ClusterStatus,
  options: RollOptions,
): Promise<Rolled> {
  const call = callOf(options, status)
  const took = stopwatch()
  await beginDrain(node, call)
  let last = ''
  await waitDrained(node, call, (answer) => {
    const text = drainLine(node, answer)
    if (text !== last) options.say(text)
    last = text
  })
  const drainMs = took()
  options.say(`${node} $ ${line.join(' ')}`)
  await runCommand(node, line)
  const commandMs = took()
  await waitBack(node, options, call)
  const backMs = took()
  options.say(`${node} is back · drained in ${drainMs} ms · back ${backMs} ms after its command`)
  return { node, drainMs, commandMs, backMs }
}

async function statusOf({ urls, tokenFile }: RollOptions): Promise<ClusterStatus> {
  const ask = { timeoutMs: NODE_TIMEOUT_MS, headers: tokenHeaders(tokenFile) }
  return judge(await collectViews(urls, ask))
}

/** A single slow answer of a busy node stops nothing. */
async function healthyStatus(options: RollOptions, stopped: string): Promise<ClusterStatus> {
  const deadline = performance.now() + options.timeoutMs
  for (;;) {
    const status = await statusOf(options)
    if (status.verdict === 'healthy') return status
    if (performance.now() > deadline || options.dryRun) {
      throw new CliError(ExitCode.refused, `${stopped}: ${status.sentence}`)
    }
    await sleep(LOOK_MS)
  }
}

/** Who leads comes last: leadership moves once. */
function orderOf(status: ClusterStatus, only: readonly string[] | null): string[] {
  const names = status.nodes.map(({ name }) => name)
  const unknown = only?.find((name) => !names.includes(name))
  if (unknown !== undefined) {
    throw new CliError(
      ExitCode.usage,
      `no member is called ${unknown}; there are ${names.join(', ')}`,
    )
  }
  if (only !== null) return [...only]
  return [
    ...names.filter((name) => name !== status.leader),
    ...names.filter((name) => name === status.leader),
  ]
}

function callOf({ tokenFile, timeoutMs }: RollOptions, status: ClusterStatus) {
  return { urls: status.nodes.map(({ url }) => url), timeoutMs, tokenFile }
}

const urlOf = (status: ClusterStatus, node: string): string =>
  status.nodes.find(({ name }) => name === node)?.url ?? ''

const commandOf = (command: readonly string[], node: string, url: string): string[] =>
  command.map((word) => word.replaceAll('{node}', node).replaceAll('{url}', url))

/** Its output is shown as it comes, on stderr: stdout is for what the roll says. */
async function runCommand(
  node: string,
  [program, ...parameters]: readonly string[],
): Promise<void> {
  const code = await new Promise<number | string>((resolve) => {
    const child = spawn(program!, parameters, {
      stdio: ['inherit', process.stderr, process.stderr],
    })
    child.once('error', (error) => resolve(error.message))
    child.once('close', (status, signal) => resolve(status ?? signal ?? 'unknown'))
  })
  if (code === 0) return
  throw new CliError(
    ExitCode.failed,
    `the command for ${node} failed (${code}); the others were not touched. If ${node} still runs it is drained: parley undrain ${node}`,
  )
}

async function waitBack(
  node: string,
  options: RollOptions,
  call: ReturnType<typeof callOf>,
): Promise<void> {
  const deadline = performance.now() + options.timeoutMs
  let drainedSince: number | null = null
  for (;;) {
    const status = await statusOf(options)
    const own = status.nodes.find(({ name }) => name === node)
    if (own !== undefined && status.verdict === 'healthy' && isBack(own)) return
    const isDrained = own?.up === true && own.reasons.some((why) => why.startsWith('draining'))
    drainedSince = isDrained ? (drainedSince ?? performance.now()) : null
    if (drainedSince !== null && performance.now() - drainedSince > NOT_RESTARTED_MS) {
      options.say(`${node} was not restarted by its command: it takes clients again`)
      await endDrain(node, call)
      drainedSince = null
    }
    if (performance.now() > deadline) {
      throw new CliError(
        ExitCode.unhealthy,
        `${node} is not back: ${status.sentence}; the others were not touched. Look at its log and parley status, then go on with --nodes`,
      )
    }
    await sleep(LOOK_MS)
  }
}

const isBack = ({ ready, lag }: NodeStatus): boolean => ready && lag !== null && lag <= MAX_LAG

function stopwatch(): () => number {
  let since = performance.now()
  return () => {
    const took = Math.round(performance.now() - since)
    since = performance.now()
    return took
  }
}
