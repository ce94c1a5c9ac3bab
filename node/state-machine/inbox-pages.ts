import type { Put } from '../store/store.ts'
import { inboxPageKey } from './keys.ts'
import type { Table } from './object-table.ts'

interface PageChange {
  readonly user: string
  readonly page: number
  /** `null`: retention dropped it. */
  readonly bytes: Uint8Array | null
}

/**
 * Full pages of inboxes, immutable: in memory until a cut holds them, then in the store only. Which
 * entries a page holds follows from its number, so nothing lists them, and one that must be there and
 * is not is damage (rule K5).
 */
export class InboxPages implements Table {
  #fresh = new Map<string, PageChange>()
  #frozen: ReadonlyMap<string, PageChange> = new Map()

  /** The page is full. */
  add(user: string, page: number, bytes: Uint8Array): void {
    this.#fresh.set(nameOf(user, page), { user, page, bytes })
  }

  drop(user: string, page: number): void {
    this.#fresh.set(nameOf(user, page), { user, page, bytes: null })
  }

  /** `undefined`: the store says; `null`: dropped. */
  unwritten(user: string, page: number): Uint8Array | null | undefined {
    const name = nameOf(user, page)
    return (this.#fresh.get(name) ?? this.#frozen.get(name))?.bytes
  }

  freeze(): Generator<Put> {
    this.#frozen = this.#fresh
    this.#fresh = new Map()
    return putsOf(this.#frozen)
  }

  completed(): void {
    this.#frozen = new Map()
  }

  /** Written pages do not stay. */
  evict(): void {}
}

function* putsOf(changes: ReadonlyMap<string, PageChange>): Generator<Put> {
  for (const { user, page, bytes } of changes.values()) {
    yield { key: inboxPageKey(user, page), value: bytes }
  }
}

const nameOf = (user: string, page: number): string => `${page}:${user}`
