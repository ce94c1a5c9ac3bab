import type { Clock } from '#cluster'
import { type PacerOptions, SlicePacer } from '../store/slice-pacer.ts'
import type { Pair } from '../store/store.ts'

/** The same pairs, with pauses: clients of this node must not notice that somebody reads all of it. */
export async function* pacedPairs(
  pairs: AsyncIterable<Pair>,
  clock: Clock,
  pacing?: PacerOptions,
): AsyncGenerator<Pair> {
  const pacer = new SlicePacer(clock, pacing)
  for await (const pair of pairs) {
    yield pair
    if (pacer.due()) await pacer.pause()
  }
}
