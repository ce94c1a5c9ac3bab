import { assert } from '#cluster'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { INBOX_PAGE, readEntries, RUN_FIELDS, type InboxEntry, writeRuns } from './inbox-runs.ts'
import { inboxKey } from './keys.ts'
import { type ObjectKind, TableObject } from './object-table.ts'
import type { DevicePosition } from './types.ts'

/** The greatest inbox number: uint32 on the wire (rule B3). */
export const LAST_INBOX = 0xffff_ffff

const FORMAT = 1
const NOTHING: readonly number[] = []
const NO_DEVICES: readonly DevicePosition[] = []

/**
 * What the `user` side of apply keeps of one user: the numbers of his inbox, the entries that fill no
 * page yet, and what his inbox leaves out. As there are many, the newest run of consecutive events of
 * one conversation stands in fields, and a user with one conversation has no list at all.
 */
export class UserInbox extends TableObject {
  /** The newest number given; one more than `LAST_INBOX` once an event found none left. */
  head = 0
  /** Entries in pages before this one are gone. */
  firstPage = 0
  /** Older runs of the page being filled (`inbox-runs.ts`). */
  runs = NOTHING
  runConversation = 0
  runSeq = 0
  /** 0: the page is empty. */
  runCount = 0
  /** Numbers of conversations that are or were large while he was a member. */
  large = NOTHING
  /** Most lately seen last. */
  devices = NO_DEVICES
  /** Whether apply made it or the store holds it: a user without conversations has none. */
  exists = false

  /** Of the newest event that was his: its number, or `null` as none was left. */
  get number(): number | null {
    return this.head <= LAST_INBOX ? this.head : null
  }

  get isExhausted(): boolean {
    return this.head >= LAST_INBOX
  }

  /** The page being filled. */
  get openPage(): number {
    return Math.floor(Math.min(this.head, LAST_INBOX) / INBOX_PAGE)
  }

  /** Gives the event the next number, if there is one; `true` if that fills the page. */
  take(conversation: number, seq: number): boolean {
    if (this.head >= LAST_INBOX) {
      this.head = LAST_INBOX + 1
      return false
    }
    this.head += 1
    if (this.runCount > 0 && this.runConversation === conversation && this.runSeq + 1 === seq) {
      this.runCount += 1
    } else {
      if (this.runCount > 0) this.#endRun()
      this.runConversation = conversation
      this.runCount = 1
    }
    this.runSeq = seq
    return this.head % INBOX_PAGE === 0
  }

  /** The bytes of the page that `take` filled; the next one begins. */
  endPage(): Uint8Array {
    assert(this.head % INBOX_PAGE === 0 && this.runCount > 0, 'a page ends before it is full')
    const writer = new ByteWriter(16 + this.runs.length * 3)
    this.#writeRuns(writer)
    this.runs = NOTHING
    this.runCount = 0
    return writer.toBytes()
  }

  /** Entries of the page being filled, ascending: a copy. */
  openEntries(): InboxEntry[] {
    const writer = new ByteWriter(16 + this.runs.length * 3)
    this.#writeRuns(writer)
    return readEntries(new ByteReader(writer.toBytes()))
  }

  encode(): Uint8Array {
    scratch.clear()
    scratch.u8(FORMAT).varint(this.head).varint(this.firstPage)
    this.#writeRuns(scratch)
    scratch.varint(this.large.length)
    for (const conversation of this.large) scratch.varint(conversation)
    scratch.varint(this.devices.length)
    for (const { device, inbox, seen } of this.devices) {
      scratch.string(device).varint(inbox).varint(seen)
    }
    return scratch.toBytes()
  }

  static decode(id: string, bytes: Uint8Array): UserInbox {
    const reader = new ByteReader(bytes)
    const format = reader.u8()
    assert(format === FORMAT, `the inbox of a user has unknown format ${format}`)
    const inbox = new UserInbox(id)
    inbox.exists = true
    const head = reader.varint()
    assert(head <= LAST_INBOX + 1, `an inbox of ${head} entries`)
    inbox.firstPage = reader.varint()
    const open = readEntries(reader)
    inbox.head = Math.min(head, LAST_INBOX) - open.length
    const first = inbox.head
    assert(first >= 0 && first % INBOX_PAGE === 0, 'a page of an inbox lacks entries')
    for (const { conversation, seq } of open) inbox.take(conversation, seq)
    assert(open.length < INBOX_PAGE, 'a full page stands with its user')
    inbox.head = head
    assert(inbox.firstPage <= inbox.openPage, 'an inbox begins after its end')
    inbox.large = readNumbers(reader)
    const devices: DevicePosition[] = []
    for (let rest = reader.varint(); rest > 0; rest -= 1) {
      devices.push({ device: reader.string(), inbox: reader.varint(), seen: reader.varint() })
    }
    if (devices.length > 0) inbox.devices = devices
    reader.end('the inbox of a user')
    return inbox
  }

  #endRun(): void {
    const run = [this.runConversation, this.runSeq, this.runCount]
    // `push` makes room for many more, where most users need few; `concat` for what there is.
    if (this.runs.length < 8 * RUN_FIELDS) this.runs = this.runs.concat(run)
    else (this.runs as number[]).push(...run)
  }

  #writeRuns(writer: ByteWriter): void {
    const { runs, runConversation, runSeq, runCount } = this
    writeRuns(writer, runs, runConversation, runSeq, runCount)
  }
}

export const USER_INBOX: ObjectKind<UserInbox> = {
  name: 'the inbox of',
  key: inboxKey,
  encode: (inbox) => inbox.encode(),
  decode: (id, bytes) => (bytes === null ? new UserInbox(id) : UserInbox.decode(id, bytes)),
}

function readNumbers(reader: ByteReader): readonly number[] {
  const count = reader.varint()
  assert(count <= reader.remaining, `${count} numbers are not there`)
  const numbers: number[] = []
  for (let i = 0; i < count; i += 1) numbers.push(reader.varint())
  return count === 0 ? NOTHING : numbers
}

const scratch = new ByteWriter(1024)
