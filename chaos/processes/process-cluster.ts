import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ClusterView } from '#node'
import { freePorts } from '../../node/host/testing/free-ports.ts'
import { PeerRelays } from './peer-relays.ts'

const CLI = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
/** Where the `parley` command keeps compiled code. */
const COMPILED = join(import.meta.dirname, '../../.cache/compiled')

export interface ProcessNode {
  readonly name: string
  readonly url: string
  /** Where its peers dial it. */
  readonly peerAddress: string
  /** Where it listens for them: behind a relay, if the cluster has any. */
  readonly peerListen: string
  readonly data: string
  process: ChildProcess | null
  /** Of the last process that ended. */
  exit: { code: number | null; signal: string | null } | null
}

export interface StartOptions {
  /** Users without tokens, and members taken in again by themselves. @default true */
  readonly dev?: boolean
  /** Names of the initial members. @default all */
  readonly founders?: readonly string[]
  /** Founds nothing and waits to be taken in. @default false */
  readonly joins?: boolean
  /** Of `parley node --unsafe-failpoints`. */
  readonly failpoints?: string
  /** Checks tokens with this secret, from a file. */
  readonly tokenSecret?: string
  /** Further flags of `parley node`. */
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** The program: `cli/main.ts` of another version. @default this one's */
  readonly cli?: string
  /** Runs the node under another program, for example strace. */
  readonly wrap?: readonly string[]
}

/** Real `parley node` processes on loopback, for tests and drills; stopped by the id it started. */
export class ProcessCluster {
  readonly directory: string
  readonly nodes: readonly ProcessNode[]
  /** Through which the nodes reach each other, where they can be cut off from each other. */
  readonly relays: PeerRelays | null
  /** Of the calls that look at the nodes: an operator's token, where they need one. */
  headers: () => Record<string, string> = () => ({})
  /** Nodes do not get the signals of this process's terminal: a Ctrl-C is for it alone. */
  isApart = false
  /** Resolves when the log of the node's last process is whole. */
  readonly #written = new Map<string, Promise<void>>()

  private constructor(directory: string, nodes: readonly ProcessNode[], relays: PeerRelays | null) {
    this.relays = relays
    this.directory = directory
    this.nodes = nodes
  }

  static async create(
    size: number,
    parent = tmpdir(),
    scheme: 'http' | 'https' = 'http',
    relayed = false,
  ): Promise<ProcessCluster> {
    const directory = await mkdtemp(join(parent, 'parley-'))
    const each = relayed ? 3 : 2
    const ports = await freePorts(size * each)
    const addressOf = (at: number, which: number) => `127.0.0.1:${ports[at * each + which]}`
    const nodes = Array.from({ length: size }, (_, at) => ({
      name: `n${at + 1}`,
      url: `${scheme}://${addressOf(at, 0)}`,
      peerAddress: addressOf(at, 1),
      peerListen: addressOf(at, each - 1),
      data: join(directory, `n${at + 1}`),
      process: null,
      exit: null,
    }))
    const between = nodes.map(({ name, peerAddress, peerListen }) => {
      return { name, address: peerAddress, behind: peerListen }
    })
    const relays = relayed ? await PeerRelays.listen(between) : null
    return new ProcessCluster(directory, nodes, relays)
  }

  /** One whose nodes all run and agree on a leader. */
  static async started(size: number): Promise<ProcessCluster> {
    const cluster = await ProcessCluster.create(size)
    try {
      await cluster.startAll()
      await cluster.healthy()
      return cluster
    } catch (error) {
      await cluster.close()
      throw error
    }
  }

  node(name: string): ProcessNode {
    const found = this.nodes.find((node) => node.name === name)
    if (found === undefined) throw new Error(`no node ${name}`)
    return found
  }

  get running(): ProcessNode[] {
    return this.nodes.filter((node) => node.process !== null)
  }

  async startAll(options: StartOptions = {}): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.start(node.name, options)))
  }

  async start(name: string, options: StartOptions = {}): Promise<void> {
    const node = this.node(name)
    await mkdir(this.directory, { recursive: true })
    const secretFile = join(this.directory, 'token-secret')
    const { tokenSecret } = options
    if (tokenSecret !== undefined) await writeFile(secretFile, tokenSecret, { mode: 0o600 })
    const founders = this.nodes.filter((one) => options.founders?.includes(one.name) ?? true)
    const members = founders
      .map((member) => `${member.name}=${member.url.replace('http://', '')}/${member.peerAddress}`)
      .join(',')
    const command = [
      ...(options.wrap ?? []),
      process.execPath,
      options.cli ?? CLI,
      'node',
      ...['--name', name],
      ...['--listen', new URL(node.url).host],
      ...['--peer-listen', node.peerListen],
      ...['--data', node.data],
      ...(options.joins === true ? ['--join'] : ['--initial-members', members]),
      ...(options.dev === false ? [] : ['--dev']),
      ...(founders.length === 1 && options.joins !== true ? ['--found-alone'] : []),
      ...(tokenSecret === undefined ? [] : ['--token-secret-file', secretFile]),
      ...(options.flags ?? []),
      ...(options.failpoints === undefined ? [] : ['--unsafe-failpoints', options.failpoints]),
    ]
    const child = spawn(command[0]!, command.slice(1), {
      // The channel says nothing: when it closes, because this process is gone, the node drains.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: this.isApart,
      env: { NODE_COMPILE_CACHE: COMPILED, ...process.env, ...options.env },
    })
    child.channel?.unref()
    const output = createWriteStream(join(this.directory, `${name}.log`), { flags: 'a' })
    child.stdout?.pipe(output, { end: false })
    child.stderr?.pipe(output, { end: false })
    node.process = child
    node.exit = null
    // Only with `close` has all that it wrote been read.
    child.once('close', (code, signal) => output.end(`exit ${code} ${signal}\n`))
    this.#written.set(name, new Promise((resolve) => output.once('close', () => resolve())))
    child.once('exit', (code, signal) => {
      if (node.process !== child) return
      node.process = null
      node.exit = { code, signal }
    })
  }

  /** Sends the signal and waits for the end of the process, unless it only pauses or resumes. */
  async signal(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.node(name).process
    if (child === null) return
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    child.kill(signal)
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await ended
  }

  async kill(name: string): Promise<void> {
    await this.signal(name, 'SIGKILL')
  }

  /** Waits until the process ended by itself. */
  async ended(name: string, timeoutMs = 30_000): Promise<NonNullable<ProcessNode['exit']>> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const { exit } = this.node(name)
      if (exit !== null) return exit
      if (performance.now() > deadline) throw new Error(`${name} still runs after ${timeoutMs} ms`)
      await sleep(10)
    }
  }

  /** What the node has written to its log since the cluster was made, all starts together. */
  async output(name: string): Promise<string> {
    if (this.node(name).process === null) await this.#written.get(name)
    return readFile(join(this.directory, `${name}.log`), 'utf8')
  }

  /** What the node says of the cluster, `null` if it does not answer. */
  async state(name: string): Promise<ClusterView | null> {
    try {
      const response = await fetch(`${this.node(name).url}/v1/cluster`, {
        headers: this.headers(),
        signal: AbortSignal.timeout(1_000),
      })
      return response.ok ? ((await response.json()) as ClusterView) : null
    } catch {
      return null
    }
  }

  /** The leader that the newest term knows of. */
  async leader(): Promise<string | null> {
    const states = await Promise.all(this.running.map((node) => this.state(node.name)))
    const newest = states
      .filter((state) => state !== null)
      .sort((a, b) => b.term - a.term)
      .find((state) => state.leader !== null)
    return newest?.leader ?? null
  }

  /** Waits until every running node is ready and all know the same leader; not when none runs. */
  async healthy(timeoutMs = 60_000): Promise<string> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const states = await Promise.all(this.running.map((node) => this.state(node.name)))
      const leaders = new Set(states.map((state) => state?.leader ?? null))
      const [leader] = leaders
      if (states.every((state) => state?.ready) && leaders.size === 1 && leader) return leader
      if (states.length === 0 || performance.now() > deadline) {
        throw new Error(
          `not healthy after ${timeoutMs} ms: ${JSON.stringify(states)}\n${await this.#lastLines()}`,
        )
      }
      await sleep(50)
    }
  }

  /** What a failed test has to show once the directory is gone. */
  async #lastLines(): Promise<string> {
    const outputs = this.nodes.map(({ name }) => this.output(name).catch(() => ''))
    const last = (await Promise.all(outputs)).map((text) => text.trimEnd().split('\n').slice(-4))
    return last.map((lines, at) => `${this.nodes[at]!.name}: ${lines.join('\n    ')}`).join('\n')
  }

  /** Waits until all running nodes have applied the same index. */
  async converged(timeoutMs = 60_000): Promise<void> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const states = await Promise.all(this.running.map((node) => this.state(node.name)))
      const applied = new Set(states.map((state) => state?.applied ?? -1))
      if (applied.size === 1 && !applied.has(-1)) return
      if (performance.now() > deadline) {
        throw new Error(`not converged after ${timeoutMs} ms: ${[...applied].join(' ')}`)
      }
      await sleep(50)
    }
  }

  /** Ends every process and removes the data; `keep` leaves it for a look. */
  async close(keep = false): Promise<void> {
    await Promise.all(this.running.map((node) => this.kill(node.name)))
    this.relays?.close()
    if (!keep) await rm(this.directory, { recursive: true, force: true })
  }
}
