import type { Clock, Random } from './ports.ts'

/**
 * How message ids are made. All are unique per user over all devices, and are not made again after
 * a restart, whatever the clock does in between, as long as the store is kept.
 *
 * - `composite`: `device_counter_time`; unique by construction, readable, needs no randomness.
 * - `uuidv4`: 122 random bits.
 * - `snowflake`: 41 bits of time, 5 + 5 of the device's name, 12 of a counter, in decimal: 4,096 a
 *   millisecond, sortable by time. Two devices of a user share the ten bits once in 1,024 pairs:
 *   give them names that do not, or take another strategy.
 * - `ulid`: 48 bits of time, 80 random ones, in base 32, sortable by time.
 * - a function: called for each id; 1 to 64 characters of [A-Za-z0-9._:@-].
 */
export type IdStrategy = 'composite' | 'uuidv4' | 'snowflake' | 'ulid' | (() => string)

/** Makes ids, and goes on after a restart. */
export interface MessageIds {
  next(): string
  /** Kept in the store with every message; 0 before the first id. */
  state: number
}

export function messageIds(
  strategy: IdStrategy,
  device: string,
  clock: Clock,
  random: Random,
): MessageIds {
  if (typeof strategy === 'function') return { next: strategy, state: 0 }
  if (strategy === 'uuidv4') return { next: () => uuid(random), state: 0 }
  if (strategy === 'composite') return new CompositeIds(device, clock, random)
  return strategy === 'ulid' ? new Ulids(clock, random) : new Snowflakes(device, clock)
}

/**
 * Unique among a user's devices by the device, within a device by the counter, and over restarts
 * that lose the counter by the time. It starts at random, so that a store that was lost and a clock
 * set back to the very same millisecond do not repeat an id either.
 */
class CompositeIds implements MessageIds {
  readonly #device: string
  readonly #clock: Clock
  state = 0
  readonly #start: number

  constructor(device: string, clock: Clock, random: Random) {
    this.#device = device
    this.#clock = clock
    this.#start = random.uint32() % 1_000_000
  }

  next(): string {
    this.state = this.state === 0 ? this.#start + 1 : this.state + 1
    return `${this.#device}_${this.state}_${Math.trunc(this.#clock.wallMs())}`
  }
}

/** Numbers of one millisecond after another; the state is the last millisecond used. */
abstract class TimedIds implements MessageIds {
  readonly #clock: Clock
  state = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  next(): string {
    const now = Math.trunc(this.#clock.wallMs())
    if (now > this.state) {
      this.state = now
      this.begin()
    } else if (!this.advance()) {
      // This one is used up, or belonged to an earlier life: time is borrowed from the future.
      this.state++
      this.begin()
    }
    return this.format()
  }

  /** The first of a millisecond. */
  protected abstract begin(): void
  /** The next of the same one; false if there is none. */
  protected abstract advance(): boolean
  protected abstract format(): string
}

class Snowflakes extends TimedIds {
  readonly #machine: bigint
  #count = 4095

  constructor(device: string, clock: Clock) {
    super(clock)
    let hash = 0x811c9dc5
    for (let i = 0; i < device.length; i++) {
      hash = Math.imul(hash ^ device.charCodeAt(i), 0x01000193)
    }
    this.#machine = BigInt((hash ^ (hash >>> 10) ^ (hash >>> 20)) & 1023)
  }

  protected begin(): void {
    this.#count = 0
  }

  protected advance(): boolean {
    return this.#count++ < 4095
  }

  protected format(): string {
    const time = BigInt(this.state - SNOWFLAKE_EPOCH_MS)
    return ((time << 22n) | (this.#machine << 12n) | BigInt(this.#count)).toString()
  }
}

class Ulids extends TimedIds {
  readonly #random: Random
  /** 16 digits of base 32. */
  #digits: number[] | null = null

  constructor(clock: Clock, random: Random) {
    super(clock)
    this.#random = random
  }

  protected begin(): void {
    this.#digits = Array.from({ length: 16 }, () => this.#random.uint32() & 31)
  }

  /** One more, which keeps the order within a millisecond. */
  protected advance(): boolean {
    if (this.#digits === null) return false
    let at = 15
    while (at >= 0 && this.#digits[at] === 31) this.#digits[at--] = 0
    if (at < 0) return false
    this.#digits[at]!++
    return true
  }

  protected format(): string {
    const time = Array.from({ length: 10 }, (_, i) => Math.trunc(this.state / 32 ** (9 - i)) % 32)
    return [...time, ...this.#digits!].map((digit) => BASE_32[digit]).join('')
  }
}

function uuid(random: Random): string {
  const words = Array.from({ length: 4 }, () => random.uint32())
  const hex = words.map((word) => word.toString(16).padStart(8, '0')).join('')
  const variant = (((words[2]! >>> 28) & 3) | 8).toString(16)
  return [
    ...[hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`],
    ...[`${variant}${hex.slice(17, 20)}`, hex.slice(20)],
  ].join('-')
}

const BASE_32 = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
/** As the first ones had it: ids of today have 19 digits, and sort as texts too. */
const SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
