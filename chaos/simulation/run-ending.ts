import { findMember } from '#cluster'
import type { Subprotocol } from '#protocol'
import { liveness } from '../checkers/liveness.ts'
import { PropertyViolation } from '../checkers/raft/raft-checker.ts'
import type { FinalInbox, History, Recovery, WireEvent } from '../history/history.ts'
import type { Device } from '../workload/device.ts'
import type { SdkDevice } from '../workload/sdk-device.ts'
import type { SimDevice } from '../workload/sim-device.ts'
import type { Frame } from '../workload/sim-session.ts'
import { Prng } from '../prng.ts'
import type { FeatureRun } from './feature-run.ts'
import { RunBackup } from './run-backup.ts'
import { RunDrain } from './run-drain.ts'
import { RunLook } from './run-look.ts'
import { RunRestore, type RunBackupFile } from './run-restore.ts'
import type { Scenario } from './scenario.ts'
import type { SimNode } from './sim-node.ts'
import type { SimWorld } from './sim-world.ts'

/** No promise, only where waiting ends: what is allowed is for the checker to say. */
const PATIENCE_MS = 150_000

interface EndingParts {
  readonly world: SimWorld
  readonly history: History
  /** What of the run is beside messages, if anything. */
  readonly features: FeatureRun | null
  readonly scenario: Scenario
  readonly devices: readonly Device[]
  /** Those of them that run on the SDK. */
  readonly applications: readonly SdkDevice[]
  readonly makeReader: (
    who: { device: string; user: string; subprotocol: Subprotocol },
    address: string,
  ) => SimDevice
}

/**
 * What follows the last fault: a leader, a verdict for every write, equal nodes without a further
 * write, all of it once more around a node that has to build its state anew, and a look at everything
 * that every node holds. How long each took and what was seen goes into the history.
 */
export class RunEnding {
  readonly #world: SimWorld
  readonly #history: History
  readonly #features: FeatureRun | null
  readonly #scenario: Scenario
  readonly #devices: readonly Device[]
  readonly #applications: readonly SdkDevice[]
  readonly #makeReader: EndingParts['makeReader']
  /** Events of a backup that were held against those of its node. */
  compared = 0
  /** Events that a cluster restored from it handed out. */
  restored = 0
  /** Who is how far behind, as all nodes told it. */
  looked = 0

  constructor(parts: EndingParts) {
    this.#world = parts.world
    this.#history = parts.history
    this.#features = parts.features
    this.#scenario = parts.scenario
    this.#devices = parts.devices
    this.#applications = parts.applications
    this.#makeReader = parts.makeReader
  }

  /** Right after the heal. A phase that does not end is a violation, reported to the world. */
  async perform(): Promise<void> {
    const recovery = this.#recovery()
    this.#history.recovery = recovery
    const now = () => this.#world.scheduler.nowMs
    if (!(await this.#until(() => this.#hasLeader))) return
    recovery.leaderMs = now()
    if (!(await this.#until(() => this.#unsettled === 0 && this.#world.operator.isIdle))) return
    recovery.settledMs = now()
    if (!(await this.#until(() => this.#areEqual))) return
    recovery.equalMs = now()
    const heads = this.#heads
    const backup = this.#backUp()
    const drain = this.#drainOne()
    this.#probe()
    if (!(await this.#until(() => this.#unsettled === 0 && this.#probed))) return
    if (!(await this.#until(() => this.#areEqual))) return
    if (!(await this.#until(() => backup.isOver))) return
    this.compared = backup.compared
    if (!(await this.#until(() => drain?.isOver !== false))) return
    // Without another write every stream comes to its end by itself.
    if (!(await this.#until(() => this.#applications.every((one) => one.isUpToDate)))) return
    if (!(await this.#until(() => this.#removedEnded))) return
    this.#restartOne()
    if (!(await this.#until(() => this.#areEqual))) return
    recovery.positions = this.#positions
    await this.#readAll()
    const { file } = backup
    if (file !== null && this.#scenario.restores === true) await this.#restore({ ...file, heads })
  }

  /** Last of all, as what readers were shown is acknowledged by then. */
  async lookAtLags(): Promise<void> {
    const look = new RunLook(this.#world, this.#present)
    this.#world.scheduler.soon(null, () => look.begin())
    await this.#until(() => look.isOver)
    this.looked = look.compared
  }

  async #restore(file: RunBackupFile): Promise<void> {
    if (this.#world.violation !== null) return
    const restored = new RunRestore(this.#scenario, this.#history, file)
    const violation = await restored.perform()
    this.restored = restored.found
    if (violation !== null) this.#world.fail(violation)
  }

  /** Of the conversations of messages. */
  get #heads(): ReadonlyMap<string, number> {
    const { sends, shown } = this.#history
    return new Map(sends.map(({ conv }) => [conv, shown.headOf(conv)]))
  }

  #recovery(): Recovery {
    const { replica, clockDrift } = this.#scenario.profile
    return {
      tickMs: (replica.tickMs ?? 50) / (1 - clockDrift),
      healedMs: this.#world.scheduler.nowMs,
      leaderMs: null,
      settledMs: null,
      equalMs: null,
      positions: [],
    }
  }

  /** Whether it came to it; if not, the world hears what is missing. */
  async #until(done: () => boolean): Promise<boolean> {
    const { scheduler } = this.#world
    const isOver = () => this.#world.violation !== null
    await scheduler.run(scheduler.nowMs + PATIENCE_MS, () => isOver() || done())
    if (isOver()) return false
    if (done()) return true
    const [first] = liveness(this.#history)
    const where = this.#world.nodes
      .map((node) => `${node.name} ${node.parley?.state.appliedIndex ?? 'down'}`)
      .join(', ')
    const why = first?.message ?? `no rest after ${PATIENCE_MS} ms`
    const open = `${this.#unsettled} writes unsettled, applied: ${where}`
    this.#world.fail(new PropertyViolation('R10', `${why}; ${open}`))
    return false
  }

  get #hasLeader(): boolean {
    return this.#world.nodes.some((node) => node.parley?.replica?.hasAuthority === true)
  }

  get #unsettled(): number {
    const ofFeatures = this.#features?.unsettled ?? 0
    return this.#devices.reduce((sum, device) => sum + device.unsettled, ofFeatures)
  }

  /** Nodes that still have what they promised, and those that have taken the place of one. */
  get #present(): readonly SimNode[] {
    return this.#world.nodes.filter((node) => {
      if (node.retired !== null || node.standing !== 'member') return false
      const raftId = node.parley?.replica?.raftId
      return !node.wiped || (raftId !== undefined && node.voters.includes(raftId))
    })
  }

  /** Who does not know yet that it was removed is told by those whom it dials. */
  get #removedEnded(): boolean {
    return this.#world.nodes.every(({ standing, isUp, wiped, disk, parley }) => {
      const replica = parley?.replica
      // Emptied since, it is a stranger that waits for an operator (rule K1).
      if (wiped && replica === null) return true
      const members = replica?.committedConfiguration.configuration
      const knows = members !== undefined && findMember(members, disk.raftId) === undefined
      return standing !== 'removed' || !isUp || knows
    })
  }

  get #areEqual(): boolean {
    const highest = this.#world.judges.committed.highest
    const present = this.#present
    if (!present.every((node) => node.parley?.state.appliedIndex === highest)) return false
    // Also once a member that was lost is replaced: that goes on in steps of its own.
    return new Set(present.map((node) => node.voters.toSorted().join())).size <= 1
  }

  get #positions(): Recovery['positions'] {
    return this.#present.map((node) => {
      const { appliedIndex, stateHash } = node.parley!.state
      const voters = node.voters.toSorted()
      return { node: node.name, applied: appliedIndex, stateHash, voters }
    })
  }

  // ——— a last write of everybody, whatever the run was about ———

  #probed = false

  /** While clients write, of any node. */
  #backUp(): RunBackup {
    const prng = new Prng(`${this.#scenario.seed}/backup`)
    const backup = new RunBackup(this.#world, prng.pick(this.#present))
    this.#world.scheduler.soon(null, () => backup.begin())
    return backup
  }

  /** Often the leader; `null`: there is nobody to take its clients. */
  #drainOne(): RunDrain | null {
    const prng = new Prng(`${this.#scenario.seed}/drain`)
    const voters = this.#present.filter(({ parley, voters: ids }) => {
      return ids.includes(parley?.replica?.raftId ?? '')
    })
    if (voters.length < 2) return null
    const leader = voters.find(({ parley }) => parley?.replica?.hasAuthority === true)
    const node = prng.chance(0.5) ? (leader ?? voters[0]!) : prng.pick(voters)
    const drain = new RunDrain(this.#world, node)
    this.#world.scheduler.soon(null, () => drain.begin())
    return drain
  }

  #probe(): void {
    const left = new Set(this.#devices)
    const next = () => {
      for (const device of left) {
        const { device: name } = device.options
        const send = { kind: 'send', atMs: 0, device: name, conversation: 0, padding: 0 } as const
        if (device.perform(send)) left.delete(device)
      }
      this.#probed = left.size === 0
      if (!this.#probed) this.#world.scheduler.after(50, null, next)
    }
    next()
  }

  /** Its state afterwards comes from its disk alone, that of the others from what they applied. */
  #restartOne(): void {
    const prng = new Prng(`${this.#scenario.seed}/restart`)
    const node = prng.pick(this.#present)
    this.#world.note(`${node.name} starts anew`)
    node.kill()
    node.start()
  }

  // ——— the last look ———

  /** Every conversation from every node, through its gateway. */
  async #readAll(): Promise<void> {
    const convs = new Set(this.#history.sends.map(({ conv }) => conv))
    const { user } = this.#scenario.devices[0]!
    const other = this.#scenario.devices.at(-1)!.user
    let missing = 0
    for (const { name, clientAddress } of this.#present) {
      const owner = { device: `inbox-${name}`, user: other, subprotocol: 'parley.v1.json' } as const
      const inbox = this.#makeReader(owner, clientAddress)
      inbox.start()
      missing += 1
      this.#readInbox(inbox, { node: name, user: other, entries: [] }, () => (missing -= 1))
      const who = { device: `reader-${name}`, user, subprotocol: 'parley.v1.json' } as const
      const reader = this.#makeReader(who, clientAddress)
      reader.start()
      for (const conv of convs) {
        missing += 1
        this.#readOne(reader, name, conv, 0, [], () => (missing -= 1))
      }
    }
    await this.#until(() => missing === 0)
    await this.#readFeatures()
  }

  async #readFeatures(): Promise<void> {
    const features = this.#features
    if (features === null) return
    const present = this.#present
    const erasing = new Set(present.map(({ clientAddress }) => clientAddress))
    const look = () => {
      for (const address of erasing) {
        features.isErased(address, (isDone) => isDone && erasing.delete(address))
      }
      if (erasing.size > 0) this.#world.scheduler.after(1_000, null, look)
    }
    look()
    if (!(await this.#until(() => erasing.size === 0))) return
    let missing = present.length
    for (const { name, clientAddress } of present) {
      features.readAll(name, clientAddress, () => (missing -= 1))
    }
    await this.#until(() => missing === 0)
  }

  #readInbox(reader: SimDevice, found: FinalInbox, done: () => void): void {
    const after = found.entries.at(-1)?.inbox ?? 0
    reader.request({ t: 'sync:R', after, limit: 500 }, (answer) => {
      if (answer === null || answer['error'] !== undefined) {
        const again = () => this.#readInbox(reader, found, done)
        this.#world.scheduler.after(100, null, again)
        return
      }
      const events = answer['events'] as FinalInbox['entries']
      const more = events.map(({ inbox, conv, seq }) => ({ inbox, conv, seq }))
      const whole = { ...found, entries: [...found.entries, ...more] }
      if (answer['hasMore'] === true) {
        this.#readInbox(reader, whole, done)
        return
      }
      this.#history.finalInbox(whole)
      done()
    })
  }

  #readOne(
    reader: SimDevice,
    node: string,
    conv: string,
    after: number,
    events: WireEvent[],
    done: () => void,
  ): void {
    const frame: Frame = { t: 'pull:R', conv, after, limit: 100, read: 'linearizable' }
    reader.request(frame, (answer) => {
      if (answer === null || answer['error'] !== undefined) {
        const again = () => this.#readOne(reader, node, conv, after, events, done)
        this.#world.scheduler.after(100, null, again)
        return
      }
      events.push(...(answer['events'] as WireEvent[]))
      if (answer['hasMore'] === true) {
        this.#readOne(reader, node, conv, answer['next'] as number, events, done)
        return
      }
      this.#history.final({ node, conv, events })
      done()
    })
  }
}
