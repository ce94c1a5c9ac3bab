/** Rule B3 written down a second time: whole lists, and no memory to save. */
export class ModelInboxes {
  /** By user, in order; the number is the position, counted from 1. */
  readonly #entries = new Map<string, [conv: string, seq: number][]>()
  readonly #large = new Set<string>()
  /** By conversation: the newest seq that took no entries, and whom heads tell of it. */
  readonly #unlisted = new Map<string, number>()
  readonly #told = new Map<string, Set<string>>()
  readonly #largeAbove: number
  readonly #smallBelow: number

  constructor(largeAbove: number, smallBelow: number) {
    this.#largeAbove = largeAbove
    this.#smallBelow = smallBelow
  }

  /** `intervals` by member: what each may see once the event at `seq` is in. */
  event(conv: string, seq: number, intervals: ReadonlyMap<string, [number, number][]>): void {
    const names = [...intervals].filter(([, seen]) => seen.at(-1)![1] >= seq).map(([name]) => name)
    const present = names.filter((name) => intervals.get(name)!.at(-1)![1] === Infinity)
    const told = this.#told.get(conv) ?? new Set()
    if (this.#large.has(conv)) {
      this.#unlisted.set(conv, seq)
      for (const name of present) told.add(name)
    } else {
      for (const name of names) this.#entries.set(name, [...this.entries(name), [conv, seq]])
    }
    if (present.length > this.#largeAbove) {
      this.#large.add(conv)
      for (const name of present) told.add(name)
    } else if (present.length < this.#smallBelow) this.#large.delete(conv)
    this.#told.set(conv, told)
  }

  entries(user: string): readonly [conv: string, seq: number][] {
    return this.#entries.get(user) ?? []
  }

  isLarge(conv: string): boolean {
    return this.#large.has(conv)
  }

  /** `lastOf`: the newest seq of a conversation that the user may see. */
  heads(user: string, lastOf: (conv: string) => number): { conv: string; seq: number }[] {
    return [...this.#told].flatMap(([conv, told]) => {
      const seq = told.has(user) ? Math.min(this.#unlisted.get(conv) ?? 0, lastOf(conv)) : 0
      return seq === 0 ? [] : [{ conv, seq }]
    })
  }
}
