import { PropertyViolation } from '../checkers/raft/raft-checker.ts'
import { check } from '../checkers/index.ts'
import { History, type ReadEvent } from '../history/history.ts'
import { Prng } from '../prng.ts'
import { ReadLedger } from '../workload/read-ledger.ts'
import { type Frame, SimDevice } from '../workload/sim-device.ts'
import { Nemesis } from './nemesis.ts'
import { SimWorld } from './sim-world.ts'
import { drawSwarm, type Fault, type Swarm } from './swarm.ts'

export interface RunOptions {
  readonly seed: number
  /** Simulated time in which things are broken. @default 30,000 */
  readonly safetyMs?: number
  /** What the seed would otherwise decide. */
  readonly swarm?: Partial<Swarm>
  /** Called with the world before it runs: for tests that break it on purpose. */
  readonly prepare?: (world: SimWorld) => void
}

export interface RunStats {
  readonly nodes: number
  readonly simulatedMs: number
  /** Of the processor, all threads: what else the machine does does not count. */
  readonly cpuMs: number
  readonly events: number
  readonly writes: number
  readonly acknowledged: number
  readonly reads: number
  readonly pushes: number
  readonly elections: number
  readonly restarts: number
  readonly compared: number
  readonly committed: number
  readonly retired: number
  readonly heldUp: number
  readonly faults: Readonly<Partial<Record<Fault, number>>>
  readonly refusals: Readonly<Record<string, number>>
}

export interface RunResult {
  readonly ok: boolean
  readonly seed: number
  readonly violation: { readonly property: string; readonly message: string } | null
  /** Equal for equal seed, options and program. */
  readonly traceHash: string
  readonly stats: RunStats
  /** The last that happened before the end. */
  readonly notes: readonly string[]
}

const SETUP_MS = 30_000
/** Everything must be settled this long after the last fault. */
const LIVENESS_MS = 60_000
/** Then, without a single further write, all nodes must become equal within this. */
const QUIET_MS = 40_000

/** One run: form, break and write, heal, settle, read everything, judge. */
export async function runSeed(options: RunOptions): Promise<RunResult> {
  const before = process.cpuUsage()
  const run = new Run(options)
  const onRejection = (error: unknown) => {
    run.world.fail(new PropertyViolation('R9', `unhandled rejection: ${(error as Error).stack}`))
  }
  process.on('unhandledRejection', onRejection)
  try {
    await run.perform()
  } finally {
    process.off('unhandledRejection', onRejection)
  }
  const { user, system } = process.cpuUsage(before)
  return run.result((user + system) / 1_000)
}

class Run {
  readonly world: SimWorld
  readonly #options: RunOptions
  readonly #swarm: Swarm
  readonly #history = new History()
  readonly #ledger: ReadLedger
  readonly #devices: SimDevice[]
  readonly #nemesis: Nemesis

  constructor(options: RunOptions) {
    this.#options = options
    const prng = new Prng(options.seed)
    this.#swarm = drawSwarm(prng.split('swarm'), options.swarm)
    this.world = new SimWorld(prng.split('world'), this.#swarm)
    this.#ledger = new ReadLedger((violation) => this.world.fail(violation))
    const { faults, faultEveryMs } = this.#swarm
    this.#nemesis = new Nemesis(this.world, prng.split('nemesis'), faults, faultEveryMs)
    this.#devices = Array.from({ length: this.#swarm.devices }, (_, at) =>
      this.#device(at, prng.split(`device ${at}`)),
    )
    options.prepare?.(this.world)
  }

  async perform(): Promise<void> {
    const { world } = this
    for (const node of world.nodes) node.start()
    for (const device of this.#devices) device.start()
    await this.#formGroups()
    if (this.#over) return
    this.#nemesis.start()
    await this.#run(this.#options.safetyMs ?? 30_000)
    if (this.#over) return
    this.#nemesis.stop()
    world.note('heal')
    world.heal()
    for (const device of this.#devices) device.stopWriting()
    await this.#run(LIVENESS_MS, () => this.#unsettled === 0)
    if (this.#unsettled > 0) {
      this.#fail('R10', `${this.#unsettled} writes are unsettled ${LIVENESS_MS} ms after the heal`)
    }
    if (this.#over) return
    await this.#run(QUIET_MS, () => this.#converged)
    if (!this.#converged)
      this.#fail('R10', `nodes differ ${QUIET_MS} ms after the last write: ${this.#positions}`)
    if (this.#over) return
    await this.#readAll()
    if (this.#over) return
    const [first] = check(this.#history)
    if (first !== undefined) this.#fail(first.property, first.message)
  }

  result(cpuMs: number): RunResult {
    const { world } = this
    const refusals: Record<string, number> = {}
    for (const device of this.#devices) {
      for (const [code, count] of device.refusals) refusals[code] = (refusals[code] ?? 0) + count
    }
    const { violation } = world
    return {
      ok: violation === null,
      seed: this.#options.seed,
      violation:
        violation === null ? null : { property: violation.property, message: violation.message },
      traceHash: world.scheduler.traceHash,
      notes: world.notes,
      stats: {
        nodes: this.#swarm.nodes,
        simulatedMs: Math.round(world.scheduler.nowMs),
        cpuMs: Math.round(cpuMs),
        events: world.scheduler.events,
        writes: this.#history.sends.length,
        acknowledged: this.#history.acknowledgedCount,
        reads: this.#ledger.reads,
        pushes: this.#ledger.pushes,
        elections: world.elections.elections,
        restarts: world.nodes.reduce((sum, node) => sum + node.starts - 1, 0),
        compared: world.agreement.compared,
        committed: world.committed.highest,
        retired: world.nodes.filter((node) => node.retired !== null || node.wiped).length,
        heldUp: world.network.heldUp,
        faults: Object.fromEntries(this.#nemesis.injected),
        refusals,
      },
    }
  }

  get #over(): boolean {
    return this.world.violation !== null
  }

  get #unsettled(): number {
    return this.#devices.reduce((sum, device) => sum + device.unsettled, 0)
  }

  /** Nodes that still have what they promised. */
  get #whole() {
    return this.world.nodes.filter((node) => node.retired === null && !node.wiped)
  }

  get #converged(): boolean {
    const [first, ...others] = this.#whole.map((node) => node.parley?.state.appliedIndex ?? -1)
    const highest = this.world.committed.highest
    return first === highest && others.every((index) => index === first)
  }

  get #positions(): string {
    return this.world.nodes
      .map((node) => `${node.name} ${node.parley?.state.appliedIndex ?? 'down'}`)
      .join(', ')
  }

  #fail(property: string, message: string): void {
    this.world.fail(new PropertyViolation(property, message))
  }

  #run(forMs: number, done: () => boolean = () => false): Promise<void> {
    const { scheduler } = this.world
    return scheduler.run(scheduler.nowMs + forMs, () => this.#over || done())
  }

  #device(at: number, prng: Prng): SimDevice {
    const { window, thinkMs, repeatShare, moveShare, pullShare } = this.#swarm
    return new SimDevice({
      options: {
        user: `user-${Math.floor(at / 2) + 1}`,
        device: `device-${at + 1}`,
        subprotocol: prng.chance(0.5) ? 'parley.v1.json' : 'parley.v1.msgpack',
        addresses: this.world.addresses,
        thinkMs,
        window,
        repeatShare,
        moveShare,
        pullShare,
      },
      scheduler: this.world.scheduler,
      clients: this.world.clients,
      prng,
      history: this.#history,
      ledger: this.#ledger,
    })
  }

  /** The cluster forms, elects, and makes the conversations of the run. */
  async #formGroups(): Promise<void> {
    const { conversations } = this.#swarm
    const founder = this.#devices[0]!
    const members = [...new Set(this.#devices.map(({ options }) => options.user))]
    let made = 0
    for (let group = 1; group <= conversations; group++) {
      const ask = () => {
        founder.request(
          { t: 'conv:R', op: 'create', msgId: `group-${group}`, members, name: `group ${group}` },
          (answer) => {
            const conversation = answer?.['conversation'] as { id: string } | undefined
            if (conversation === undefined) this.world.scheduler.after(100, null, ask)
            else {
              made += 1
              for (const device of this.#devices) device.join(conversation.id)
            }
          },
        )
      }
      ask()
    }
    await this.#run(SETUP_MS, () => made === conversations)
    if (made < conversations)
      this.#fail('R10', `no ${conversations} conversations within ${SETUP_MS} ms`)
  }

  /** Every conversation from every whole node, through its gateway. */
  async #readAll(): Promise<void> {
    const convs = new Set(this.#history.sends.map(({ conv }) => conv))
    let missing = 0
    for (const node of this.#whole) {
      const reader = this.#reader(node.name, node.clientAddress)
      for (const conv of convs) {
        missing += 1
        this.#readOne(reader, node.name, conv, 0, [], () => (missing -= 1))
      }
    }
    await this.#run(LIVENESS_MS, () => missing === 0)
    if (missing > 0) this.#fail('R10', `${missing} conversations cannot be read to the end`)
  }

  #reader(name: string, address: string): SimDevice {
    const reader = new SimDevice({
      options: {
        user: 'user-1',
        device: `reader-${name}`,
        subprotocol: 'parley.v1.json',
        addresses: [address],
        thinkMs: 1_000,
        window: 1,
        repeatShare: 0,
        moveShare: 0,
        pullShare: 0,
      },
      scheduler: this.world.scheduler,
      clients: this.world.clients,
      prng: new Prng(`${this.#options.seed}/reader/${name}`),
      history: this.#history,
      ledger: this.#ledger,
    })
    reader.start()
    return reader
  }

  #readOne(
    reader: SimDevice,
    node: string,
    conv: string,
    after: number,
    events: ReadEvent[],
    done: () => void,
  ): void {
    const frame: Frame = { t: 'pull:R', conv, after, limit: 100, read: 'linearizable' }
    reader.request(frame, (answer) => {
      if (answer === null || answer['error'] !== undefined) {
        const again = () => this.#readOne(reader, node, conv, after, events, done)
        this.world.scheduler.after(100, null, again)
        return
      }
      const page = answer['events'] as ReadEvent[]
      // Events of other kinds carry values of their own.
      events.push(
        ...page.map((event) =>
          typeof event.body === 'string' ? event : { ...event, body: JSON.stringify(event.body) },
        ),
      )
      if (answer['hasMore'] === true) {
        this.#readOne(reader, node, conv, answer['next'] as number, events, done)
        return
      }
      this.#history.final({ node, conv, events })
      done()
    })
  }
}
