import {
  AssertionError,
  LogDamagedError,
  type InitialMember,
  type Logger,
  type RaftStatus,
} from '#cluster'
import { PropertyViolation } from '../checkers/raft/raft-checker.ts'
import { RaftJudges } from '../checkers/raft/raft-judges.ts'
import { LogFormatError } from '../../cluster/log/log-format-error.ts'
import type { Message } from '../../cluster/raft/messages.ts'
import type { Prng } from '../prng.ts'
import type { EventOwner } from './event-heap.ts'
import { Operator } from './operator.ts'
import { SimClients } from './sim-clients.ts'
import { SimNetwork } from './sim-network.ts'
import { SimNode } from './sim-node.ts'
import type { SimProcess } from './sim-process.ts'
import { SimScheduler } from './sim-scheduler.ts'
import type { Scenario } from './scenario.ts'
import { messagesIn } from './wire-tap.ts'

const FIRST_CLIENT_PORT = 7401
const FIRST_PEER_PORT = 7501

/** What the judges saw last of one life of a node. */
interface Judged {
  readonly node: SimNode
  status: RaftStatus | null
  applied: number
}

/** All machines of a run, the wires between them, and the judges that watch every step. */
export class SimWorld {
  readonly scheduler = new SimScheduler()
  readonly network: SimNetwork
  readonly clients: SimClients
  readonly nodes: readonly SimNode[]
  readonly judges: RaftJudges
  readonly operator: Operator
  violation: PropertyViolation | null = null
  /** Installed, by nodes that lagged too far behind the log of their leader or were new to it. */
  snapshots = 0
  /** The last lines of what happened, for whoever reads a failure. */
  readonly notes: string[] = []
  keepNotes = 2_000
  readonly #founding: readonly SimNode[]
  readonly #byHost = new Map<string, SimNode>()
  /** What was read last on the wire. */
  #tapped: { readonly bytes: Uint8Array; readonly messages: readonly Message[] } = {
    bytes: new Uint8Array(0),
    messages: [],
  }
  /** What was last judged of each process, by its number. */
  readonly #judged: Judged[] = []
  #processes = 0

  constructor(
    prng: Prng,
    scenario: Pick<Scenario, 'nodes' | 'link' | 'profile' | 'spares' | 'older'>,
  ) {
    this.network = new SimNetwork(this.scheduler, prng.split('network'), scenario.link)
    this.clients = new SimClients(this.scheduler, this.network)
    const machines = scenario.nodes + (scenario.spares ?? 0)
    const all: InitialMember[] = Array.from({ length: machines }, (_, at) => ({
      name: `n${at + 1}`,
      peerAddress: `127.0.0.1:${FIRST_PEER_PORT + at}`,
      clientUrl: `http://127.0.0.1:${FIRST_CLIENT_PORT + at}`,
    }))
    const members = all.slice(0, scenario.nodes)
    this.nodes = all.map(
      (member, at) =>
        new SimNode({
          member,
          members: at < scenario.nodes ? members : [...members, member],
          standing: at < scenario.nodes ? 'member' : 'spare',
          host: {
            scheduler: this.scheduler,
            network: this.network,
            clients: this.clients,
            logger: (node) => this.#logger(node),
            nextProcess: () => ++this.#processes,
            onEnd: (node, error, how) => this.#ended(node, error, how),
            onLeft: (node, told) => this.#left(node, told),
          },
          profile: scenario.profile,
          prng: prng.split(member.name),
          olderLives: scenario.older?.find(({ name }) => name === member.name)?.lives ?? 0,
        }),
    )
    this.#founding = this.members
    this.operator = new Operator(this)
    if (scenario.older !== undefined) this.operator.upgrade(scenario.older)
    for (const node of this.nodes) this.#byHost.set(node.name, node)
    this.judges = new RaftJudges(this.nodes.map(({ disk }) => disk))
    const { judges } = this
    for (const node of this.nodes) {
      node.disk.onBatch = (synced) => this.#judge(() => judges.onBatch(node, synced))
    }
    this.clients.moment = () => judges.sent.now
    this.clients.onSent = (from, write, left) =>
      this.#judge(() => judges.sent.onSent(from, write, left))
    this.network.tap = (process, bytes) => this.#tap(process, bytes)
    this.scheduler.afterEvent = (owner) => this.#afterEvent(owner)
  }

  /** Where clients reach the nodes that they are told of at this moment: who founded and who joined. */
  get addresses(): readonly string[] {
    return this.nodes
      .filter((node) => node.standing === 'member' || this.#founding.includes(node))
      .map(({ clientAddress }) => clientAddress)
  }

  /** Those that the cluster counts on, and nobody is about to take out. */
  get members(): readonly SimNode[] {
    return this.nodes.filter(({ standing }) => standing === 'member')
  }

  note(line: string): void {
    if (this.keepNotes === 0) return
    this.notes.push(`${this.scheduler.nowMs.toFixed(3)} ${line}`)
    if (this.notes.length > this.keepNotes * 2) this.notes.splice(0, this.keepNotes)
  }

  /** The first one counts: the rest may follow from it. */
  fail(violation: PropertyViolation): void {
    if (this.violation !== null) return
    this.violation = violation
    this.note(`violation ${violation.message}`)
  }

  /** Everything that was broken on purpose works again; a disk that was lost stays lost. */
  heal(): void {
    this.network.healAll()
    this.operator.finish()
    for (const node of this.nodes) {
      node.arm(null)
      node.process?.resume()
      node.process?.dieAfter(0, () => {})
      node.crashLoop = []
      node.setClock({ rate: 1, latenessMs: 0 })
      node.platter.heal()
      node.databases.heal()
      if (node.standing !== 'removed') node.start()
    }
  }

  #tap(process: SimProcess, bytes: Uint8Array): void {
    const { node } = this.#judgedOf(process)
    try {
      // One frame goes to all followers that lack the same entries.
      if (bytes !== this.#tapped.bytes) this.#tapped = { bytes, messages: messagesIn(bytes) }
      for (const message of this.#tapped.messages) this.judges.onMessage(node, message)
    } catch (error) {
      this.#failOf(error)
    }
  }

  /** Every change is judged; most events change nothing that a judge could see. */
  #afterEvent(owner: EventOwner | null): void {
    if (owner === null || !(owner as SimProcess).takesStep()) return
    const judged = this.#judgedOf(owner as SimProcess)
    const { node } = judged
    const { parley } = node
    const replica = parley?.replica ?? null
    if (parley === null || replica === null) return
    const { appliedIndex } = parley.state
    const before = judged.status
    if (before !== null && replica.statusIs(before) && appliedIndex === judged.applied) return
    try {
      const status = replica.status()
      judged.status = status
      if (before === null) this.judges.onStarted(node, status)
      this.judges.onStatus(node, status)
      if (judged.applied === appliedIndex) return
      judged.applied = appliedIndex
      this.judges.onApplied(node, appliedIndex, parley.state.stateHash)
    } catch (error) {
      this.#failOf(error)
    }
  }

  #judgedOf(process: SimProcess): Judged {
    return (this.#judged[process.number] ??= {
      node: this.#byHost.get(process.host)!,
      status: null,
      applied: -1,
    })
  }

  #judge(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#failOf(error)
    }
  }

  #failOf(error: unknown): void {
    if (error instanceof PropertyViolation) this.fail(error)
    else this.fail(new PropertyViolation('harness', (error as Error).stack ?? String(error)))
  }

  /** A node ends in peace when it is told to, or was removed. */
  #left(node: SimNode, told: boolean): void {
    this.note(`${node.name} left`)
    if (told || node.standing === 'leaving' || node.standing === 'removed') return
    this.fail(new PropertyViolation('R20', `${node.name} takes itself for removed`))
  }

  /**
   * A node stops itself for what was done to its disk, never for anything else; and whatever a disk
   * does, no batch with a right checksum says what this version never writes.
   */
  #ended(node: SimNode, error: Error, how: 'stopped' | 'threw'): void {
    this.note(`${node.name} ${how}: ${error.message}`)
    const misread = error instanceof LogFormatError
    const broken = error instanceof AssertionError || misread || how === 'threw'
    if (broken) {
      this.fail(new PropertyViolation('R9', `${node.name} ${how}: ${error.stack ?? error.message}`))
      return
    }
    const lost = error instanceof LogDamagedError || /members replace/.test(error.message)
    if (lost) {
      if (node.isHurt) node.retired = error.message
      else
        this.fail(
          new PropertyViolation('R9', `${node.name} gives its intact disk up: ${error.message}`),
        )
      return
    }
    if (node.errorsMet === 0 && !node.isHurt) {
      this.fail(new PropertyViolation('R9', `${node.name} stopped for no fault: ${error.stack}`))
      return
    }
    this.scheduler.after(1_000, null, () => node.start())
  }

  #logger(node: SimNode): Logger {
    const line = (level: string) => (event: string, fields?: Record<string, unknown>) => {
      if (event === 'snapshot.installed') this.snapshots += 1
      if (this.keepNotes === 0) return
      const text = JSON.stringify(fields ?? {}, (_, value: unknown) =>
        value instanceof Error ? value.message : value,
      )
      this.note(`${node.name} ${level} ${event} ${text}`)
    }
    return { debug: () => {}, info: line('info'), warn: line('warn'), error: line('error') }
  }
}
