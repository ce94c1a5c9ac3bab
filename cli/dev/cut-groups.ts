/** Who is cut off from whom, or why nobody is: a mistake in the words (`usage`), or not now. */
export type CutGroups =
  | { readonly some: readonly string[]; readonly from: readonly string[] }
  | { readonly message: string; readonly usage: boolean }

/**
 * Reads the two groups of a partition: names with commas between, or `leader`. Without the second
 * it is everybody else.
 */
export function groupsOf(
  words: { readonly target: string; readonly others?: string | undefined },
  names: readonly string[],
  leader: string | null,
): CutGroups {
  const one = words.target.split(',')
  const other = words.others?.split(',')
  for (const name of [...one, ...(other ?? [])]) {
    if (name === 'leader') {
      if (leader === null) return { message: 'no node leads at the moment', usage: false }
    } else if (!names.includes(name)) {
      return { message: `there is no node ${name}: there are ${names.join(', ')}`, usage: true }
    }
  }
  const meant = (group: readonly string[]) => [
    ...new Set(group.map((name) => (name === 'leader' ? leader! : name))),
  ]
  const some = meant(one)
  const from = other === undefined ? names.filter((name) => !some.includes(name)) : meant(other)
  const both = some.find((name) => from.includes(name))
  if (both !== undefined) return { message: `${both} stands on both sides of the cut`, usage: true }
  if (from.length === 0) {
    return { message: `there is nobody to cut ${some.join(', ')} off from`, usage: true }
  }
  return { some, from }
}
