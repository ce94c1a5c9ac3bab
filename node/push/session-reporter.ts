import type { Clock, Timer } from '#cluster'
import type { StateReader } from '../state-machine/types.ts'
import { MAX_REPORTED, type ReportedDevice, type SessionReport } from './session-report.ts'

/** After a report that did not go out. */
const AGAIN_MS = 1_000
/** Users looked up in one go: clients wait no longer than that. */
const USERS_PER_SLICE = 200
/** Devices whose change is not told yet; more, and everything is told anew. */
const MAX_CHANGED = 100_000

export interface ReporterHost {
  readonly clock: Clock
  readonly state: StateReader
  /** Users with a session here, and their devices. */
  sessions(): Iterable<readonly [user: string, devices: readonly string[]]>
  hasSession(user: string, device: string): boolean
  /** Of the leader, also if it is this node; `null`: nobody leads. */
  term(): number | null
  /** To the leader; `false`: it certainly did not go out. */
  send(report: SessionReport): boolean
}

/**
 * The gateway's part of push (rule B9): tells the leader which of the devices that want to be called
 * have a session here: all of them to a new leader, then what changes. As long as nobody subscribed
 * it says nothing.
 */
export class SessionReporter {
  readonly #host: ReporterHost
  /** User → devices whose session began or ended, or which subscribed. */
  #changed = new Map<string, Set<string>>()
  #changes = 0
  #everything = true
  #running = false
  #closed = false
  #timer: Timer | null = null

  constructor(host: ReporterHost) {
    this.#host = host
  }

  /** There is a leader who knows nothing yet, or one that may have missed something. */
  leaderUp(): void {
    this.#everything = true
    if (this.#host.state.hasPushSubscriptions) this.#run()
  }

  /** A session of the device began or ended here, or it subscribed. */
  changed(user: string, device: string): void {
    if (!this.#host.state.hasPushSubscriptions) return
    if (this.#changes >= MAX_CHANGED) this.#everything = true
    else if (!this.#everything) {
      const devices = this.#changed.get(user) ?? new Set()
      this.#changed.set(user, devices.add(device))
      this.#changes += 1
    }
    this.#run()
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #run(): void {
    if (this.#running || this.#closed || this.#timer !== null) return
    this.#running = true
    // Whatever comes in one turn goes out together.
    this.#host.clock.defer(() => {
      this.#report()
        .catch(() => 'again' as const)
        .then((outcome) => {
          this.#running = false
          if (outcome === 'again') this.#later()
          else if (outcome === 'told' && (this.#everything || this.#changes > 0)) this.#run()
        })
        .catch(() => {})
    })
  }

  #later(): void {
    if (this.#closed) return
    this.#timer = this.#host.clock.after(AGAIN_MS, () => {
      this.#timer = null
      this.#run()
    })
  }

  async #report(): Promise<'told' | 'again' | 'nobody'> {
    const term = this.#host.term()
    // Whoever leads next is told everything, once there is something to tell.
    if (term === null || !this.#host.state.hasPushSubscriptions) return 'nobody'
    const everything = this.#everything
    const changed = everything ? this.#host.sessions() : [...this.#changed]
    this.#everything = false
    this.#changed = new Map()
    this.#changes = 0
    const isOut = everything ? await this.#list(term, changed) : await this.#change(term, changed)
    if (isOut) return 'told'
    this.#everything = true
    return 'again'
  }

  async #list(term: number, sessions: Iterable<readonly [string, Iterable<string>]>) {
    const here = await this.#subscribed([...sessions])
    for (let from = 0; ; from += MAX_REPORTED) {
      const isLast = from + MAX_REPORTED >= here.length
      const part = from === 0 ? (isLast ? 'only' : 'first') : isLast ? 'last' : 'next'
      const report = { term, part, here: here.slice(from, from + MAX_REPORTED), gone: [] } as const
      if (!this.#host.send(report)) return false
      if (isLast) return true
    }
  }

  async #change(term: number, changed: Iterable<readonly [string, Iterable<string>]>) {
    const devices = await this.#subscribed([...changed])
    for (let from = 0; from < devices.length; from += MAX_REPORTED) {
      const some = devices.slice(from, from + MAX_REPORTED)
      // As it is when it is told: what came in between is told after it.
      const isHere = ({ user, device }: ReportedDevice) => this.#host.hasSession(user, device)
      const here = some.filter(isHere)
      const gone = some.filter((one) => !isHere(one))
      if (!this.#host.send({ term, part: 'change', here, gone })) return false
    }
    return true
  }

  async #subscribed(
    sessions: readonly (readonly [string, Iterable<string>])[],
  ): Promise<ReportedDevice[]> {
    const found: ReportedDevice[] = []
    for (const [i, [user, devices]] of sessions.entries()) {
      if (i % USERS_PER_SLICE === USERS_PER_SLICE - 1) await this.#pause()
      const subscriptions = await this.#host.state.pushSubscriptions(user)
      if (subscriptions.length === 0) continue
      for (const device of devices) {
        if (subscriptions.some((one) => one.device === device)) found.push({ user, device })
      }
    }
    return found
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#host.clock.after(1, resolve))
  }
}
