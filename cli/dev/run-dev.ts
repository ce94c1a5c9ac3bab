import { mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PeerRelays } from '../../chaos/processes/peer-relays.ts'
import { formatMembers } from '../cluster/initial-members.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { note, print, printJson } from '../output.ts'
import { watchParent } from '../parent-watch.mjs'
import { onStopSignals } from '../stop-signals.ts'
import { readControlFile, removeControlFile, writeControlFile } from './control-file.ts'
import { controlSocketPath, serveControl } from './control-server.ts'
import { DevCluster } from './dev-cluster.ts'
import type { DevEvent } from './dev-events.ts'
import { describeEvent, describeNews, describeNextSteps, KEY_HELP } from './dev-report.ts'
import { requireFreePorts } from './require-free-ports.ts'
import { listenToKeys } from './keys.ts'
import { type DevNode, planLayout } from './layout.ts'
import { endLeftovers } from './leftovers.ts'

export interface DevOptions {
  readonly directory: string
  readonly nodes?: number
  readonly port?: number
  readonly json: boolean
  /** Replaces the command that runs a node; `{name}` and so on are not expanded. */
  readonly command?: (node: DevNode, all: readonly DevNode[]) => readonly string[]
}

/** Runs a dev cluster in the foreground until it is told to stop. Resolves when all has ended. */
export async function runDev(options: DevOptions): Promise<void> {
  const directory = makeDirectory(options.directory)
  const socket = controlSocketPath(directory)
  let cluster: DevCluster | null = null
  // Taken first: it is what makes this the only supervisor of the directory.
  const control = await serveControl(socket, async ({ action, target, ...shape }) => {
    if (cluster === null)
      return { ok: false, action, message: 'the cluster is starting', usage: false }
    return cluster.act(action, target, shape)
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE') throw alreadyRunning(directory)
    throw error
  })
  let giveBackTerminal = () => {}
  let relays: PeerRelays | null = null
  try {
    const left = await endLeftovers(directory)
    if (left > 0) note(`parley: ended ${left} nodes that an earlier run had left behind`)
    const { nodes, settle } = planLayout(directory, options)
    await requireFreePorts(nodes)
    settle()
    // Loaded here: the commands that act on a running cluster need none of it.
    const { PeerRelays } = await import('../../chaos/processes/peer-relays.ts')
    const between = nodes.map(({ name, peerAddress: address, peerListen: behind }) => {
      return { name, address, behind }
    })
    relays = await PeerRelays.listen(between)

    const save = () => writeControlFile(directory, { pid: process.pid, socket, nodes: made.nodes })
    const made = new DevCluster({
      nodes,
      relays,
      command: (node) => (options.command ?? nodeCommand)(node, nodes),
      onEvent: (event) => {
        if (event.event === 'started' || event.event === 'exit') save()
        report(event, options.json)
      },
    })
    const stopped = stopOnRequest(made)
    if (!options.json) note(`parley: starting ${nodes.length} nodes …`)
    const started = made.start()
    save()
    await started
    cluster = made
    if (!options.json) {
      const hasKeys = process.stdin.isTTY
      note(describeNextSteps(directory, hasKeys))
      if (hasKeys) giveBackTerminal = attachKeys(made)
    }
    await stopped
  } finally {
    giveBackTerminal()
    relays?.close()
    control.close()
    if (readControlFile(directory)?.pid === process.pid) removeControlFile(directory)
  }
}

function makeDirectory(path: string): string {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    return realpathSync(path)
  } catch (error) {
    throw new CliError(
      ExitCode.failed,
      `cannot keep data in ${path}: ${(error as Error).message}; choose another directory with --data`,
      { cause: error },
    )
  }
}

function nodeCommand(node: DevNode, all: readonly DevNode[]): readonly string[] {
  const members = all.map(({ name, url, peerAddress }) => ({ name, clientUrl: url, peerAddress }))
  return [
    process.execPath,
    '--max-semi-space-size=8', // a third less memory, no more CPU: docs/performance.md, Growth
    join(fileURLToPath(new URL('..', import.meta.url)), 'parley.mjs'),
    'node',
    ...['--name', node.name, '--listen', node.listen, '--peer-listen', node.peerListen],
    ...['--data', node.dataDirectory, '--initial-members', formatMembers(members), '--dev'],
  ]
}

function report(event: DevEvent, json: boolean): void {
  if (json) printJson(event)
  else if (event.event === 'ready') print(describeEvent(event))
  else note(describeEvent(event))
}

/** Resolves when the cluster has stopped after a signal, or after the death of whoever started it. */
function stopOnRequest(cluster: DevCluster): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      cluster.stop().then(resolve, reject)
    }
    onStopSignals(['SIGINT', 'SIGTERM', 'SIGHUP'], { stop, stopNow: () => cluster.killAll() })
    watchParent(stop)
  })
}

function attachKeys(cluster: DevCluster): () => void {
  return listenToKeys(process.stdin, {
    act: (action, target) => {
      cluster.act(action, target).then(
        (result) => {
          const news = describeNews(result)
          if (news !== '') note(news)
        },
        (error: unknown) => note(`parley: ${String(error)}`),
      )
    },
    list: () => {
      for (const { id, url, pid } of cluster.nodes) {
        const leads = id === cluster.leader ? ' leader' : ''
        const others = cluster.cutOff(id)
        const cut = others.length === 0 ? '' : ` cut off from ${others.join(', ')}`
        note(`${id} ${url} ${pid === null ? 'down' : `pid ${pid}`}${leads}${cut}`)
      }
    },
    help: () => note(KEY_HELP),
    quit: () => process.kill(process.pid, 'SIGINT'),
  })
}

function alreadyRunning(directory: string): CliError {
  const running = readControlFile(directory)
  const where =
    running === null
      ? 'it is just starting'
      : `process ${running.pid}, nodes at ${running.nodes.map(({ url }) => url).join(', ')}`
  return new CliError(ExitCode.failed, `a cluster already runs in ${directory}: ${where}`)
}
