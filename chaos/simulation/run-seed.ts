import type { Subprotocol } from '#protocol'
import { PropertyViolation } from '../checkers/raft/raft-checker.ts'
import { check } from '../checkers/index.ts'
import { History } from '../history/history.ts'
import { Prng } from '../prng.ts'
import type { Device } from '../workload/device.ts'
import { type Application, SdkDevice, type SdkTotals } from '../workload/sdk-device.ts'
import { SimDevice } from '../workload/sim-device.ts'
import { FeatureRun } from './feature-run.ts'
import { Nemesis } from './nemesis.ts'
import { ProcessDeath } from './sim-process.ts'
import { RunEnding } from './run-ending.ts'
import { drawScenario, type Scenario } from './scenario.ts'
import { SimWorld } from './sim-world.ts'
import type { Fault, Swarm } from './swarm.ts'

export interface RunHooks {
  /** Called with the world before it runs: to watch it, or to break it on purpose. */
  readonly prepare?: (world: SimWorld) => void
  /** Called with all that was recorded, before it is judged. */
  readonly recorded?: (history: History) => void
}

export interface RunOptions extends RunHooks {
  readonly seed: number
  /** Simulated time in which things are broken. @default 30,000 */
  readonly safetyMs?: number
  /** What the seed would otherwise decide. */
  readonly swarm?: Partial<Swarm>
}

export interface RunStats {
  readonly nodes: number
  readonly simulatedMs: number
  /** Of the processor, all threads: what else the machine does does not count. */
  readonly cpuMs: number
  readonly events: number
  readonly writes: number
  readonly acknowledged: number
  /** What devices came to do: writes, copies of writes, reads, moves. */
  readonly operations: number
  readonly reads: number
  readonly pushes: number
  readonly elections: number
  readonly restarts: number
  readonly compared: number
  readonly committed: number
  readonly retired: number
  readonly heldUp: number
  /** Snapshots that took over from what a node had. */
  readonly snapshots: number
  /** Injected, by kind. */
  readonly faults: Readonly<Partial<Record<Fault, number>>>
  /** Of these, how many were seen to do something. */
  readonly evidence: Readonly<Partial<Record<Fault, number>>>
  /** Deaths at each failpoint. */
  readonly failpoints: Readonly<Record<string, number>>
  /** How often a process came by each of them. */
  readonly failpointHits: Readonly<Record<string, number>>
  /** Events of a backup that were held against those of its node. */
  readonly backedUp: number
  /** Events that a cluster restored from it handed out. */
  readonly restored: number
  /** Users and conversations that are behind, of which all nodes told an operator the same. */
  readonly looked: number
  readonly refusals: Readonly<Record<string, number>>
  /** Changes of members that were done. */
  readonly members: { readonly added: number; readonly removed: number }
  /** What leaders refused to do about them, by code. */
  readonly memberRefusals: Readonly<Record<string, number>>
  /** What an operator heard when he asked whether he may, by verdict or code. */
  readonly memberAnswers: Readonly<Record<string, number>>
  /** Of all applications on the SDK. */
  readonly sdk: Readonly<SdkTotals>
}

export interface RunResult {
  readonly ok: boolean
  readonly seed: number | string
  readonly violation: { readonly property: string; readonly message: string } | null
  /** When the run ended, counted from when the first fault may have come; 0 if it never got there. */
  readonly brokenForMs: number
  /** Equal for equal scenario and program. */
  readonly traceHash: string
  readonly stats: RunStats
  /** The last that happened before the end. */
  readonly notes: readonly string[]
}

const SETUP_MS = 30_000
/** Faults while the cluster forms are over by then. */
const FORMING_MS = 5_000

/** The run that a seed stands for. */
export function runSeed(options: RunOptions): Promise<RunResult> {
  const { seed, safetyMs = 30_000, swarm = {} } = options
  return runScenario(drawScenario(seed, safetyMs, swarm), options)
}

/** One run: form, break and write, heal, settle, read everything, judge. */
export async function runScenario(scenario: Scenario, hooks: RunHooks = {}): Promise<RunResult> {
  const before = process.cpuUsage()
  const run = new Run(scenario, hooks)
  const onRejection = (error: unknown) => {
    if (error instanceof ProcessDeath) return
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
  readonly #scenario: Scenario
  readonly #recorded: (history: History) => void
  readonly #history: History
  readonly #devices: Device[]
  readonly #applications: SdkDevice[]
  readonly #features: FeatureRun | null
  readonly #nemesis: Nemesis
  readonly #ending: RunEnding

  #operations = 0
  #brokenAtMs: number | null = null

  constructor(scenario: Scenario, hooks: RunHooks) {
    this.#scenario = scenario
    this.#recorded = hooks.recorded ?? (() => {})
    const prng = new Prng(scenario.seed)
    this.world = new SimWorld(prng.split('world'), scenario)
    this.#history = new History(() => this.world.scheduler.nowMs)
    this.#nemesis = new Nemesis(this.world, scenario.faults)
    this.#devices = scenario.devices.map((who) => {
      const own = prng.split(who.device)
      return who.sdk === undefined
        ? this.#device(who, null, own)
        : this.#application(who, who.sdk, own)
    })
    this.#applications = this.#devices.filter((one) => one instanceof SdkDevice)
    this.#features = this.#newFeatures(prng)
    this.#ending = new RunEnding({
      world: this.world,
      history: this.#history,
      features: this.#features,
      scenario,
      devices: this.#devices,
      applications: this.#applications,
      makeReader: (who, address) =>
        this.#device(who, [address], new Prng(`${scenario.seed}/${who.device}`)),
    })
    hooks.prepare?.(this.world)
  }

  async perform(): Promise<void> {
    const { world } = this
    for (const node of world.nodes) node.start()
    for (const device of this.#devices) device.start()
    const forming = new Nemesis(world, this.#scenario.forming ?? [])
    forming.start()
    world.scheduler.after(FORMING_MS, null, () => forming.stop())
    await this.#formGroups()
    forming.stop()
    if (this.#over) return
    this.#brokenAtMs = world.scheduler.nowMs
    this.#nemesis.start()
    this.#operate(0, world.scheduler.nowMs)
    this.#features?.operate(world.scheduler.nowMs)
    await this.#run(this.#scenario.safetyMs)
    if (this.#over) return
    this.#nemesis.stop()
    this.#features?.healed()
    world.note('heal')
    world.heal()
    this.#recordFaults()
    await this.#ending.perform()
    if (this.#over) return
    this.#recorded(this.#history)
    const [first] = check(this.#history)
    if (first !== undefined) this.#fail(first.property, first.message)
    else await this.#ending.lookAtLags()
  }

  result(cpuMs: number): RunResult {
    const { world } = this
    const refusals: Record<string, number> = {}
    const told = this.#devices.map((device) => device.refusals)
    for (const codes of [...told, ...(this.#features?.refusals ?? [])]) {
      for (const [code, count] of codes) refusals[code] = (refusals[code] ?? 0) + count
    }
    const { violation } = world
    return {
      ok: violation === null,
      seed: this.#scenario.seed,
      violation:
        violation === null ? null : { property: violation.property, message: violation.message },
      brokenForMs:
        this.#brokenAtMs === null ? 0 : Math.ceil(world.scheduler.nowMs - this.#brokenAtMs),
      traceHash: world.scheduler.traceHash,
      notes: world.notes,
      stats: {
        nodes: this.#scenario.nodes,
        simulatedMs: Math.round(world.scheduler.nowMs),
        cpuMs: Math.round(cpuMs),
        events: world.scheduler.events,
        writes: this.#history.sends.length,
        acknowledged: this.#history.acknowledgedCount,
        operations: this.#operations + (this.#features?.operations ?? 0),
        reads: this.#history.reads.length,
        pushes: this.#history.pushes.length,
        elections: world.judges.elections.elections,
        restarts: world.nodes.reduce((sum, node) => sum + node.starts - 1, 0),
        compared: world.judges.agreement.compared,
        committed: world.judges.committed.highest,
        retired: world.nodes.filter((node) => node.retired !== null || node.wiped).length,
        heldUp: world.network.heldUp,
        snapshots: world.snapshots,
        backedUp: this.#ending.compared,
        restored: this.#ending.restored,
        looked: this.#ending.looked,
        faults: this.#nemesis.injected,
        evidence: this.#nemesis.evidence,
        failpoints: tally(world.nodes.flatMap(({ deathsAt }) => [...deathsAt])),
        failpointHits: tally(world.nodes.flatMap(({ hits }) => hits)),
        refusals,
        members: { added: world.operator.done.add, removed: world.operator.done.remove },
        memberRefusals: world.operator.refusals,
        memberAnswers: world.operator.answers,
        sdk: this.#sdkTotals,
      },
    }
  }

  get #sdkTotals(): SdkTotals {
    const sum: SdkTotals = { lives: 0, sessions: 0, delivered: 0, retried: 0, restored: 0 }
    for (const { totals } of this.#applications) {
      for (const name of Object.keys(sum) as (keyof SdkTotals)[]) sum[name] += totals[name]
    }
    return sum
  }

  get #over(): boolean {
    return this.world.violation !== null
  }

  #fail(property: string, message: string): void {
    this.world.fail(new PropertyViolation(property, message))
  }

  #run(forMs: number, done: () => boolean = () => false): Promise<void> {
    const { scheduler } = this.world
    return scheduler.run(scheduler.nowMs + forMs, () => this.#over || done())
  }

  #device(
    who: { device: string; user: string; subprotocol: Subprotocol },
    only: readonly string[] | null,
    prng: Prng,
  ): SimDevice {
    const { world } = this
    const options = {
      ...who,
      window: this.#scenario.window,
      /** Those that are told to connect to `only` do; the rest hears of nodes that join. */
      get addresses() {
        return only ?? world.addresses
      },
    }
    return new SimDevice({
      options,
      scheduler: world.scheduler,
      clients: this.world.clients,
      prng,
      history: this.#history,
    })
  }

  #application(
    who: { device: string; user: string; subprotocol: Subprotocol },
    application: Application,
    prng: Prng,
  ): SdkDevice {
    const { window } = this.#scenario
    const { nodes, scheduler, clients } = this.world
    // An application is told once, of every machine that may ever join.
    const addresses = nodes.map(({ clientAddress }) => clientAddress)
    const device = new SdkDevice(
      { ...who, addresses, window, application },
      { scheduler, clients, prng, history: this.#history },
    )
    device.onFault = (property, message) => this.#fail(property, message)
    return device
  }

  #newFeatures(prng: Prng): FeatureRun | null {
    const { features: plan } = this.#scenario
    if (plan === undefined || plan.devices.length < 2) return null
    const parts = { world: this.world, history: this.#history, plan }
    return new FeatureRun({ ...parts, prng: prng.split('features') })
  }

  #recordFaults(): void {
    const { injected, evidence } = this.#nemesis
    for (const [kind, count] of Object.entries(injected)) {
      const evident = evidence[kind as Fault] ?? 0
      this.#history.fault(kind, { injected: count, evident })
    }
  }

  /** Each operation is an event of its own, made by the one before. */
  #operate(at: number, startedMs: number): void {
    const operation = this.#scenario.operations[at]
    if (operation === undefined) return
    const { scheduler } = this.world
    scheduler.after(Math.max(0, startedMs + operation.atMs - scheduler.nowMs), null, () => {
      const device = this.#devices.find(({ options }) => options.device === operation.device)
      if (device?.perform(operation) === true) this.#operations += 1
      this.#operate(at + 1, startedMs)
    })
  }

  /** Who makes the conversations: the first that speaks the wire by itself. */
  get #founder(): SimDevice {
    const first = this.#devices.find((one) => one instanceof SimDevice)
    if (first !== undefined) return first
    const { user } = this.#scenario.devices[0]!
    const who = { device: 'founder', user, subprotocol: 'parley.v1.json' } as const
    const founder = this.#device(who, null, new Prng(`${this.#scenario.seed}/f`))
    founder.start()
    return founder
  }

  /** The cluster forms, elects, and makes the conversations of the run. */
  async #formGroups(): Promise<void> {
    const { conversations } = this.#scenario
    const founder = this.#founder
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
              for (const device of this.#devices) device.join(group - 1, conversation.id)
            }
          },
        )
      }
      ask()
    }
    let isFormed = this.#features === null
    this.#features?.form(() => (isFormed = true))
    await this.#run(SETUP_MS, () => made === conversations && isFormed)
    if (made < conversations || !isFormed)
      this.#fail('R10', `no ${conversations} conversations within ${SETUP_MS} ms`)
  }
}

function tally(
  counts: readonly (readonly [name: string, count: number])[],
): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const [name, count] of counts) sums[name] = (sums[name] ?? 0) + count
  return sums
}
