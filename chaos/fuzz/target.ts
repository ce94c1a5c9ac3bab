import type { Prng } from '../prng.ts'
import type { Captured } from './capture.ts'

/** One decoder under attack. An input is bytes and nothing else, so that it can be cut down and kept. */
export interface Target {
  /** An input; all of it comes from `random`. */
  make(random: Prng): Uint8Array
  /**
   * Hands the bytes to the decoder and looks at what it says: `null` if it took them, and all that
   * may be asked of what it took holds, or the words of its own refusal. Throws for anything else.
   */
  judge(bytes: Uint8Array): string | null | Promise<string | null>
  /** Bytes that it may allocate whatever the input; beyond that `BYTES_PER_BYTE` for each of it. */
  readonly allowedBytes?: number
}

export interface TargetEntry {
  readonly name: string
  /** Its part of all inputs, against those of the others. */
  readonly share: number
  open(captured: Captured): Target | Promise<Target>
}

/** Whatever is wrong with a decoder, as a sentence. */
export class FuzzViolation extends Error {
  override readonly name = 'FuzzViolation'
}

export function violated(what: string): never {
  throw new FuzzViolation(what)
}

type ErrorClass = abstract new (...parts: never[]) => Error

/** What the decoder gives, or the words of one of its own errors; any other error is thrown on. */
export function refusalOr<T>(
  own: readonly ErrorClass[],
  decode: () => T,
): { readonly value: T } | { readonly refusal: string } {
  try {
    return { value: decode() }
  } catch (error) {
    if (own.some((kind) => error instanceof kind)) return { refusal: (error as Error).message }
    throw error
  }
}
