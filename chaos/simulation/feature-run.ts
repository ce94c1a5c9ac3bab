import type { History } from '../history/history.ts'
import type { Prng } from '../prng.ts'
import { FeatureBackend } from '../workload/feature-backend.ts'
import { FeatureDevice } from '../workload/feature-device.ts'
import type { FeatureOperation } from '../workload/feature-operation.ts'
import type { Frame } from '../workload/sim-session.ts'
import { BACKEND, type FeaturePlan, READS } from './feature-plan.ts'
import type { SimWorld } from './sim-world.ts'

interface FeatureRunParts {
  readonly world: SimWorld
  readonly history: History
  readonly plan: FeaturePlan
  readonly prng: Prng
}

/** Where a look at everything a node holds begins again if it failed. */
const AGAIN_MS = 100

/** The part of a run that uses everything beside messages, in conversations of its own. */
export class FeatureRun {
  readonly #world: SimWorld
  readonly #history: History
  readonly #plan: FeaturePlan
  readonly #prng: Prng
  readonly #devices: readonly FeatureDevice[]
  readonly #backend: FeatureBackend
  #isHealed = false
  /** Operations that it came to. */
  operations = 0

  constructor(parts: FeatureRunParts) {
    const { world, history, plan, prng } = parts
    this.#world = world
    this.#history = history
    this.#plan = plan
    this.#prng = prng
    this.#devices = plan.devices.map((who) => this.#device(who, null))
    const addresses = { get: () => world.addresses }
    this.#backend = new FeatureBackend(
      {
        device: BACKEND,
        get addresses() {
          return addresses.get()
        },
      },
      {
        ...{ clients: world.clients, prng: prng.split(BACKEND), history },
        later: (delayMs, run) => void world.scheduler.after(delayMs, null, run),
      },
    )
    const { features } = history
    features.owner = plan.devices[0]!.user
    features.users.push(...new Set(plan.devices.map(({ user }) => user)))
  }

  /** Writes without a verdict. */
  get unsettled(): number {
    return this.#devices.reduce((sum, { unsettled }) => sum + unsettled, this.#backend.unsettled)
  }

  get refusals(): readonly ReadonlyMap<string, number>[] {
    return this.#devices.map(({ refusals }) => refusals)
  }

  /** Connects everybody and makes the conversations; `done` once all are there. */
  form(done: () => void): void {
    for (const device of this.#devices) device.session.start()
    const { users, conversations } = this.#history.features
    const frames = Array.from({ length: this.#plan.groups }, (_, at) => {
      return { t: 'conv:R', op: 'create', msgId: `room-${at + 1}`, members: users }
    })
    const direct = { t: 'conv:R', op: 'direct', msgId: 'direct', with: users[1]! }
    this.#make([...frames, direct], (conv, frame) => {
      conversations.push(conv)
      for (const device of this.#devices) {
        const { user } = device.options
        const pair = users.slice(0, 2)
        const other = frame === direct ? (pair.find((name) => name !== user) ?? null) : null
        if (frame !== direct || pair.includes(user)) device.join(conv, other)
      }
      if (conversations.length === frames.length + 1) done()
    })
  }

  /** One after the other, so that everybody counts them alike. */
  #make(frames: readonly Frame[], made: (conv: string, frame: Frame) => void): void {
    const [frame, ...others] = frames
    if (frame === undefined) return
    this.#devices[0]!.session.request(frame, (answer) => {
      const conversation = answer?.['conversation'] as { id: string } | undefined
      if (conversation === undefined) {
        this.#world.scheduler.after(AGAIN_MS, null, () => this.#make(frames, made))
        return
      }
      made(conversation.id, frame)
      this.#make(others, made)
    })
  }

  /** Each operation is an event of its own, made by the one before. */
  operate(startedMs: number, at = 0): void {
    const operation = this.#plan.operations[at]
    if (operation === undefined) return
    const { scheduler } = this.#world
    scheduler.after(Math.max(0, startedMs + operation.atMs - scheduler.nowMs), null, () => {
      if (this.#perform(operation)) this.operations += 1
      this.operate(startedMs, at + 1)
    })
  }

  /** From now on nothing is written, whatever a scenario that was made shorter still names. */
  healed(): void {
    this.#isHealed = true
  }

  #perform(operation: FeatureOperation): boolean {
    if (this.#isHealed && !READS.includes(operation.kind)) return false
    if (operation.device === BACKEND) return this.#backend.perform(operation)
    const device = this.#devices.find(({ options }) => options.device === operation.device)
    return device?.perform(operation) === true
  }

  #device(who: FeaturePlan['devices'][number], only: string | null): FeatureDevice {
    const world = this.#world
    const options = {
      ...who,
      /** Those that are told to connect to `only` do; the rest hears of nodes that join. */
      get addresses() {
        return only === null ? world.addresses : [only]
      },
    }
    const { scheduler, clients } = world
    const prng = this.#prng.split(who.device)
    return new FeatureDevice(options, { scheduler, clients, prng, history: this.#history })
  }

  // ——— the last look ———

  /** Everything that one node holds, through its gateway; `done` once it was all read. */
  readAll(name: string, address: string, done: () => void): void {
    const { conversations, users, owner } = this.#history.features
    let missing = 1
    const one = () => {
      missing -= 1
      if (missing === 0) done()
    }
    for (const user of users) {
      const who = { device: `last-${user}-${name}`, user, subprotocol: 'parley.v1.json' } as const
      const reader = this.#device(who, address)
      reader.session.start()
      missing += 1
      this.#insist((again) => this.#sync(reader, 0, again, one))
      if (user !== owner) continue
      for (const conv of conversations) {
        missing += 2
        this.#insist((again) => this.#pull(reader, conv, 0, again, one))
        this.#insist((again) => {
          reader.receipts(conv, 1, true, (isTold) => (isTold ? one() : again()))
        })
      }
    }
    missing += 1
    this.#insist((again) => this.#feed(`last-${name}`, address, null, again, one))
    one()
  }

  #insist(attempt: (again: () => void) => void): void {
    attempt(() => this.#world.scheduler.after(AGAIN_MS, null, () => this.#insist(attempt)))
  }

  #sync(reader: FeatureDevice, after: number, again: () => void, done: () => void): void {
    reader.sync(after, true, (page) => {
      if (page === null) again()
      else if (page.hasMore) this.#sync(reader, page.next, again, done)
      else done()
    })
  }

  #pull(
    reader: FeatureDevice,
    conv: string,
    after: number,
    again: () => void,
    done: () => void,
  ): void {
    reader.pull(conv, after, true, true, (page) => {
      if (page === null) again()
      else if (page.hasMore) this.#pull(reader, conv, page.next, again, done)
      else done()
    })
  }

  #feed(
    reader: string,
    address: string,
    after: string | null,
    again: () => void,
    done: () => void,
  ): void {
    this.#backend.read(reader, after, { limit: 200, final: true, address }, (page) => {
      if (page === null) again()
      else if (page.hasMore) this.#feed(reader, address, page.next, again, done)
      else done()
    })
  }

  /** Whether the node has nobody left whose words are to go. */
  isErased(address: string, done: (isDone: boolean) => void): void {
    if (this.#history.features.erasures.length === 0) done(true)
    else this.#backend.erasing(address, (users) => done(users?.length === 0))
  }
}
