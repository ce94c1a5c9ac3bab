/** The one of `known` that was probably meant; `null` if none is near. */
export function nearest(word: string, known: readonly string[]): string | null {
  let best: string | null = null
  let least = Math.max(1, Math.floor(word.length * 0.35)) + 1
  for (const candidate of known) {
    const away = distance(word.toLowerCase(), candidate.toLowerCase(), least)
    if (away >= least) continue
    least = away
    best = candidate
  }
  return best
}

/** `; did you mean --listen?`, or nothing. */
export function didYouMean(word: string, known: readonly string[]): string {
  const meant = nearest(word, known)
  return meant === null ? '' : `; did you mean ${meant}?`
}

/** Letters added, left out, changed or swapped between the two; `bound` if it is that or more. */
function distance(a: string, b: string, bound: number): number {
  if (Math.abs(a.length - b.length) >= bound) return bound
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
          ? before[j - 2]! + 1
          : bound
      row.push(Math.min(changed, last[j]! + 1, row[j - 1]! + 1, swapped))
    }
    before = last
    last = row
  }
  return Math.min(bound, last[b.length]!)
}
