import type { Operation } from './operation.ts'

/** A client of a run: one that speaks the wire by itself, or the SDK with an application around it. */
export interface Device {
  readonly options: { readonly device: string; readonly user: string }
  /** Writes without a verdict that it still sees to. */
  readonly unsettled: number
  /** Answers that were no acknowledgement, by code. */
  readonly refusals: ReadonlyMap<string, number>
  start(): void
  /** The conversation that operations call by that number. */
  join(number: number, conv: string): void
  /** Says whether it came to it. */
  perform(operation: Operation): boolean
}
