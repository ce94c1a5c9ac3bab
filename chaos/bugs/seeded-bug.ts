/** A slip that somebody could make, as one change of one file. */
export interface SeededBug {
  /** Lower case, joined by hyphens. */
  readonly name: string
  /** What the program does with it. */
  readonly story: string
  /** From the repository's top. */
  readonly file: string
  /** Stands exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** Properties of `chaos/SPEC.md` that it breaks; whichever is looked at first reports it. */
  readonly breaks: readonly string[]
}

/** The file's text with the bug in it. Throws if the text has moved on. */
export function withBug(bug: Omit<SeededBug, 'breaks'>, text: string): string {
  const parts = text.split(bug.find)
  if (parts.length !== 2) {
    throw new Error(
      `${bug.name}: its text stands ${parts.length - 1} times in ${bug.file}: write the bug anew for what the file says now`,
    )
  }
  return parts.join(bug.replace)
}
