/** A broken invariant: a bug in this program, never an operating error. The process must end. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** Always on, in production too: a node that is wrong about its own state stops rather than guesses. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}

/** Closes a `switch` over a union: the compiler proves that no case is missing. */
export function unreachable(value: never, what = 'value'): never {
  throw new AssertionError(`unexpected ${what}: ${JSON.stringify(value)}`)
}

/** Integers travel as u53: anything else means a decoder or a caller is wrong. */
export function assertSafeInteger(value: number, name: string): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new AssertionError(`${name} must be an integer from 0 to 2^53-1, got ${value}`)
  }
}
