import type { RaftId } from '#cluster'
import type { ReportedDevice, SessionReport } from './session-report.ts'

/** A device that left may be back at once: so long it is not away, in ms. */
const LEFT_MS = 2_000
/** Those of a node that is gone come back elsewhere, spread over `spreadMs`. */
const LOST_MS = 20_000
/** Of one gateway; it has no more connections by far. What lies above counts as away. */
const MAX_DEVICES = 1_000_000

/** The leader's picture of who is there: devices with a session at any gateway (rule B9). */
export class PresentDevices {
  readonly #gateways = new Map<RaftId, Set<string>>()
  /** Lists that are not complete yet. */
  readonly #coming = new Map<RaftId, Set<string>>()
  /** Device → until when it is not taken for away. */
  readonly #left = new Map<string, number>()
  #term = 0

  /** Of an older leader nothing counts. */
  begin(term: number): void {
    this.#term = term
    this.#gateways.clear()
    this.#coming.clear()
    this.#left.clear()
  }

  /** Whether the gateway said everything once in this term. */
  hasReported(gateway: RaftId): boolean {
    return this.#gateways.has(gateway)
  }

  get gateways(): readonly RaftId[] {
    return [...this.#gateways.keys()]
  }

  isThere({ user, device }: ReportedDevice, nowMs: number): boolean {
    const key = keyOf({ user, device })
    for (const here of this.#gateways.values()) if (here.has(key)) return true
    return (this.#left.get(key) ?? 0) > nowMs
  }

  /** What happens to it only happens to one who is there: for a while it is not taken for away. */
  mayBeThere(device: ReportedDevice, nowMs: number): void {
    this.#leave(keyOf(device), nowMs + LEFT_MS)
  }

  /** Users of the devices that are there now, of a report that counts. */
  received(from: RaftId, report: SessionReport, nowMs: number): readonly string[] {
    if (report.term !== this.#term) return []
    const known = this.#gateways.get(from)
    if (report.part === 'change') this.#change(known, report, nowMs)
    else this.#list(from, known, report, nowMs)
    return report.here.map(({ user }) => user)
  }

  /** The gateway cannot be reached any more: its clients are on their way to another one. */
  lost(gateway: RaftId, nowMs: number): void {
    for (const key of this.#gateways.get(gateway) ?? []) this.#leave(key, nowMs + LOST_MS)
    this.#gateways.delete(gateway)
    this.#coming.delete(gateway)
  }

  /** Users of devices that are away from now on: each told once. */
  away(nowMs: number): readonly string[] {
    const users: string[] = []
    for (const [key, untilMs] of this.#left) {
      if (untilMs > nowMs) continue
      this.#left.delete(key)
      users.push(key.slice(0, key.indexOf('\n')))
    }
    return users
  }

  #change(devices: Set<string> | undefined, { here, gone }: SessionReport, nowMs: number): void {
    // Whoever has not said everything yet will: a change of it says nothing.
    if (devices === undefined) return
    for (const device of gone) {
      if (devices.delete(keyOf(device))) this.#leave(keyOf(device), nowMs + LEFT_MS)
    }
    for (const device of here) if (devices.size < MAX_DEVICES) devices.add(keyOf(device))
  }

  #list(
    from: RaftId,
    known: ReadonlySet<string> | undefined,
    { part, here }: SessionReport,
    nowMs: number,
  ): void {
    const starts = part === 'first' || part === 'only'
    const coming = starts ? new Set<string>() : this.#coming.get(from)
    if (coming === undefined) return
    for (const device of here) if (coming.size < MAX_DEVICES) coming.add(keyOf(device))
    if (part === 'first' || part === 'next') {
      this.#coming.set(from, coming)
      return
    }
    this.#coming.delete(from)
    for (const key of known ?? []) if (!coming.has(key)) this.#leave(key, nowMs + LEFT_MS)
    this.#gateways.set(from, coming)
  }

  #leave(key: string, untilMs: number): void {
    if (this.#left.size < MAX_DEVICES) this.#left.set(key, untilMs)
  }
}

/** Neither name holds a line break. */
const keyOf = ({ user, device }: ReportedDevice): string => `${user}\n${device}`
