const ATTEMPTS = 2_000
const PATIENCE_MS = 20_000

/**
 * A short input that still fails, found by taking ever smaller pieces out and then by making bytes
 * zero. Gives up after a while: a long answer late is worth less than a fair one now.
 */
export async function minimise(
  bytes: Uint8Array,
  fails: (bytes: Uint8Array) => Promise<boolean>,
): Promise<Uint8Array> {
  let best = bytes
  let left = ATTEMPTS
  const giveUpMs = performance.now() + PATIENCE_MS
  for (
    let size = best.length >> 1;
    size >= 1 && left > 0 && performance.now() < giveUpMs;
    size >>= 1
  ) {
    for (let at = 0; at < best.length && left > 0 && performance.now() < giveUpMs;) {
      const shorter = Buffer.concat([best.subarray(0, at), best.subarray(at + size)])
      left -= 1
      if (shorter.length < best.length && (await fails(shorter))) best = shorter
      else at += size
    }
  }
  for (let at = 0; at < best.length && left > 0 && performance.now() < giveUpMs; at++) {
    if (best[at] === 0) continue
    const plainer = Uint8Array.from(best)
    plainer[at] = 0
    left -= 1
    if (await fails(plainer)) best = plainer
  }
  return best
}
