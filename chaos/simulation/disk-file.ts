/** One change of a file that a power cut may undo. */
interface Change {
  readonly position: number
  /** `null`: a truncation to `position`. */
  readonly bytes: Uint8Array | null
  /** What stood there before. */
  readonly old: Uint8Array
  readonly oldLength: number
  /** `ghost`: its sync failed and the page was marked clean, so no later sync writes it. */
  state: 'unsynced' | 'synced' | 'ghost'
  /** Issued by the process and not yet reported back to it. */
  inFlight: boolean
}

/** What of one unsynced write reaches the platter. */
export type Survival = 'all' | 'nothing' | { readonly sectors: (sector: number) => boolean }

const SECTOR_BYTES = 512
const NOTHING = new Uint8Array(0)
/** So many writes are remembered after their sync: a disk may have done another thing with one. */
const RECENT_WRITES = 8

/**
 * A file as the page cache shows it, and what of it is really on the disk: every change since the
 * last sync is remembered with what it overwrote, so that a power cut can keep any part of them.
 */
export class DiskFile {
  #bytes = new Uint8Array(0)
  #length = 0
  #changes: Change[] = []
  /** Whether a write may still be lost after its sync: costs the memory of the last ones. */
  remembersWrites = false
  /** Newest last. */
  #recent: Change[] = []
  /** Where the last synced write begins: what stands before it is proven whole by it. */
  provenBytes = 0

  get length(): number {
    return this.#length
  }

  read(buffer: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(buffer.length, this.#length - position))
    if (count > 0) buffer.set(this.#bytes.subarray(position, position + count))
    return count
  }

  content(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  /** Whether these bytes stand there now, all of them. */
  shows(bytes: Uint8Array, position: number): boolean {
    const end = position + bytes.length
    return end <= this.#length && Buffer.compare(this.#bytes.subarray(position, end), bytes) === 0
  }

  /** Shows at once; returns what the process is told of later. */
  write(buffer: Uint8Array, position: number): Change {
    // A copy: writers use their buffer again.
    const change = this.#remember(position, Buffer.from(buffer))
    this.#put(buffer, position)
    if (this.remembersWrites) {
      this.#recent.push(change)
      if (this.#recent.length > RECENT_WRITES) this.#recent.shift()
    }
    return change
  }

  truncate(length: number): Change {
    const change = this.#remember(length, null)
    this.#setLength(length)
    if (this.remembersWrites) this.#recent = []
    this.provenBytes = Math.min(this.provenBytes, length)
    return change
  }

  reported(change: Change): void {
    change.inFlight = false
  }

  /** The changes that a sync beginning now covers. */
  beginSync(): readonly Change[] {
    return this.#changes.filter(({ state }) => state === 'unsynced')
  }

  endSync(covered: readonly Change[]): void {
    for (const change of covered) {
      if (change.state !== 'unsynced') continue
      change.state = 'synced'
      if (change.bytes !== null) this.provenBytes = change.position
    }
    // Nothing before it can be undone any more.
    if (this.#changes.every(({ state }) => state === 'synced')) this.#changes = []
  }

  failSync(covered: readonly Change[]): void {
    for (const change of covered) if (change.state === 'unsynced') change.state = 'ghost'
  }

  /** The process was killed: the page cache stays, calls under way happened in part or not at all. */
  kill(survives: () => Survival): void {
    this.#replay((change) => (change.inFlight ? survives() : 'all'))
    for (const change of this.#changes) change.inFlight = false
  }

  /** What was synced stays; of the rest whatever `survives` lets through. */
  powerCut(survives: () => Survival): void {
    this.#replay((change) => {
      if (change.state === 'synced') return 'all'
      return change.state === 'ghost' ? 'nothing' : survives()
    })
    this.#changes = []
  }

  /**
   * A write that the disk reported as synced and never did: what stood there before is there again.
   * Not the last one, which nothing has proven. Returns its bytes, `null` if there is none to lose.
   */
  loseWrite(pick: (count: number) => number): Uint8Array | null {
    const proven = this.#recent.filter(
      ({ state, position, bytes }) =>
        state === 'synced' && position + (bytes?.length ?? 0) <= this.provenBytes,
    )
    if (proven.length === 0) return null
    const { position, bytes, old } = proven[pick(proven.length)]!
    this.#recent = []
    this.#bytes.fill(0, position, position + bytes!.length)
    this.#bytes.set(old, position)
    return bytes!
  }

  /** Bytes that belong elsewhere come to stand here, cached and on disk alike. */
  misplace(bytes: Uint8Array, position: number): void {
    this.#bytes.set(bytes.subarray(0, this.#length - position), position)
  }

  /** As a power cut right now would leave it, if everything survived. */
  copy(): DiskFile {
    const copy = new DiskFile()
    copy.#bytes = new Uint8Array(this.content())
    copy.#length = this.#length
    return copy
  }

  /** Rot: what stands there, cached and on disk alike, changes. */
  flipBit(bit: number): void {
    this.#bytes[bit >> 3]! ^= 1 << (bit & 7)
  }

  #remember(position: number, bytes: Uint8Array | null): Change {
    const end = bytes === null ? this.#length : Math.min(this.#length, position + bytes.length)
    const old = position < end ? Buffer.from(this.#bytes.subarray(position, end)) : NOTHING
    const change: Change = {
      position,
      bytes,
      old,
      oldLength: this.#length,
      state: 'unsynced',
      inFlight: true,
    }
    this.#changes.push(change)
    return change
  }

  #replay(survival: (change: Change) => Survival): void {
    const changes = this.#changes
    if (changes.length === 0) return
    const fates = changes.map((change) => survival(change))
    if (fates.every((fate) => fate === 'all')) return
    for (const change of changes.toReversed()) {
      this.#setLength(change.oldLength)
      this.#bytes.set(change.old, change.position)
    }
    const kept: Change[] = []
    changes.forEach((change, at) => {
      const fate = fates[at]!
      if (fate === 'nothing') return
      const again = this.#remember(change.position, change.bytes)
      this.#changes.pop()
      kept.push(Object.assign(again, { state: change.state, inFlight: change.inFlight }))
      if (change.bytes === null) this.#setLength(change.position)
      else if (fate === 'all') this.#put(change.bytes, change.position)
      else this.#putSectors(change.bytes, change.position, fate.sectors)
    })
    this.#changes = kept
  }

  #putSectors(bytes: Uint8Array, position: number, keep: (sector: number) => boolean): void {
    const end = position + bytes.length
    for (let at = position; at < end;) {
      const sector = Math.floor(at / SECTOR_BYTES)
      const next = Math.min(end, (sector + 1) * SECTOR_BYTES)
      if (keep(sector)) this.#put(bytes.subarray(at - position, next - position), at)
      at = next
    }
  }

  #put(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length
    if (end > this.#length) this.#setLength(end)
    this.#bytes.set(bytes, position)
  }

  #setLength(length: number): void {
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, this.#bytes.length * 2, 4096))
      grown.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = grown
    } else if (length < this.#length) this.#bytes.fill(0, length, this.#length)
    this.#length = length
  }
}

export type { Change }
