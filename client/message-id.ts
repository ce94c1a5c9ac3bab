import type { Clock, Random } from './ports.ts'

/**
 * Message ids as `device_counter_time`: unique among a user's devices by the device, within a
 * device by the counter, and over restarts that lose the counter by the time. The counter starts
 * at random, so that a clock set back to the very same millisecond does not repeat an id either.
 */
export class MessageIds {
  readonly #device: string
  readonly #clock: Clock
  #counter: number

  constructor(device: string, clock: Clock, random: Random) {
    this.#device = device
    this.#clock = clock
    this.#counter = random.uint32() % 1_000_000
  }

  next(): string {
    this.#counter = (this.#counter + 1) % 1_000_000_000
    return `${this.#device}_${this.#counter}_${Math.trunc(this.#clock.wallMs())}`
  }
}
