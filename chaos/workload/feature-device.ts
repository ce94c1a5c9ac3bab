import {
  type AckRecord,
  featureEvent,
  type FeatureWrite,
  type Gap,
  type ReceiptTold,
  type SyncPage,
} from '../history/features.ts'
import type { History } from '../history/history.ts'
import type { Prng } from '../prng.ts'
import type { SimClients } from '../simulation/sim-clients.ts'
import type { SimScheduler } from '../simulation/sim-scheduler.ts'
import type { FeatureOperation } from './feature-operation.ts'
import { type Frame, type SessionOptions, SimSession } from './sim-session.ts'

interface Failure {
  readonly code: string
  readonly retryable: boolean
  readonly retryAfterMs?: number
}

/** A write under way. */
interface Open {
  readonly record: FeatureWrite
  readonly frame: Frame
}

/** What it knows of one conversation. */
interface Room {
  readonly conv: string
  /** The other user of a direct one. */
  readonly other: string | null
  /** The newest seq that it was shown. */
  head: number
  /** Its user's messages that were accepted, and those of others that it was shown. */
  readonly own: number[]
  readonly foreign: number[]
}

type Of<K extends FeatureOperation['kind']> = Extract<FeatureOperation, { kind: K }>

/** Messages that it remembers of a conversation, to change them. */
const REMEMBERED = 50
/** Writes under way at one time. */
const MAX_OPEN = 20
const PAGE = 20

/**
 * A device that uses all that clients can ask for: changes and takes back what it said, acknowledges,
 * signals, syncs, sets retention, blocks. Writes are repeated under their msgId until the log has
 * spoken; what it is shown goes into the history as it is.
 */
export class FeatureDevice {
  readonly options: SessionOptions
  readonly refusals = new Map<string, number>()
  readonly session: SimSession
  readonly #history: History
  readonly #rooms: Room[] = []
  readonly #open = new Map<string, Open>()
  #count = 0
  #now = 0
  /** It has everything of its inbox up to here. */
  #inbox = 0
  #signals = 0

  constructor(
    options: SessionOptions,
    parts: { scheduler: SimScheduler; clients: SimClients; prng: Prng; history: History },
  ) {
    this.options = options
    this.#history = parts.history
    this.session = new SimSession(options, parts, {
      position: () => ({ inbox: this.#inbox }),
      onGreeted: (answer) => {
        this.#learn(answer)
        for (const open of [...this.#open.values()]) this.#send(open)
      },
      onNotice: (notice) => this.#noticed(notice),
    })
  }

  get unsettled(): number {
    return this.#open.size
  }

  join(conv: string, other: string | null): void {
    this.#rooms.push({ conv, other, head: 0, own: [], foreign: [] })
  }

  /** Says whether it came to it. */
  perform(operation: FeatureOperation): boolean {
    if (!this.session.isReady) return false
    switch (operation.kind) {
      case 'message':
        return this.#say(operation)
      case 'edit':
      case 'recall':
      case 'react':
        return this.#change(operation)
      case 'page':
        return this.#page(operation)
      case 'ack':
        return this.#ack(operation)
      case 'receipts':
        return this.#receipts(operation.room)
      case 'sync':
        return this.#sync(operation.anew ? 0 : this.#inbox)
      case 'signal':
        return this.#signal(operation.room)
      case 'member':
      case 'retention':
        return this.#govern(operation)
      case 'block':
        return this.#block(operation.on)
      case 'move':
        this.session.drop()
        return true
      case 'feed':
      case 'erase':
      case 'settings':
        return false
    }
  }

  // ——— writes ———

  #write(
    record: Pick<FeatureWrite, 'kind' | 'conv'> & Partial<FeatureWrite>,
    frame: Frame,
  ): boolean {
    if (this.#open.size >= MAX_OPEN) return false
    const { user, device } = this.options
    const msgId = `${device}-${++this.#count}`
    const full: FeatureWrite = {
      ...{ target: null, body: null, who: null, retention: null },
      ...record,
      ...{ user, device, msgId, invoked: this.#history.moment() },
      ...{ answered: Infinity, seq: null, refused: null },
    }
    this.#history.features.writes.push(full)
    const open = { record: full, frame: { ...frame, msgId, since: this.#now } }
    this.#open.set(msgId, open)
    this.#send(open)
    return true
  }

  #send(open: Open): void {
    this.session.request(open.frame, (answer) => {
      if (answer !== null) this.#answered(open, answer)
    })
  }

  #answered(open: Open, answer: Frame): void {
    const { record } = open
    this.#learn(answer)
    if (record.answered !== Infinity) return
    const error = this.#errorOf(answer)
    if (error?.retryable === true) {
      const { connection } = this.session
      this.session.later(error.retryAfterMs ?? 50, () => {
        if (connection === this.session.connection && record.answered === Infinity) this.#send(open)
      })
      return
    }
    this.#open.delete(record.msgId)
    record.answered = this.#history.moment()
    if (error !== null) {
      record.refused = error.code
      return
    }
    record.seq = answer['seq'] as number
    this.#took(answer['inbox'] as number | null | undefined)
    if (record.kind === 'message') remember(this.#roomOf(record.conv)?.own, record.seq)
    this.#reach(record.conv, record.seq)
  }

  #say({ room: number, large, padding }: Of<'message'>): boolean {
    const room = this.#rooms[number]
    if (room === undefined) return false
    const { conv } = room
    const body = this.#text(padding)
    const more = large ? { large } : {}
    return this.#write({ kind: 'message', conv, body }, { t: 'msg:R', conv, body, ...more })
  }

  #change({ kind, room: number, back, foreign }: Of<'edit' | 'recall' | 'react'>): boolean {
    const room = this.#rooms[number]
    const known = foreign ? room?.foreign : room?.own
    const target = known?.at(-1 - (back % Math.max(1, known.length)))
    if (room === undefined || target === undefined) return false
    const { conv } = room
    switch (kind) {
      case 'edit': {
        const body = this.#text(0)
        const frame = { t: 'edit:R', conv, seq: target, body }
        return this.#write({ kind, conv, target, body }, frame)
      }
      case 'recall':
        return this.#write({ kind, conv, target }, { t: 'recall:R', conv, seq: target })
      case 'react': {
        const frame = { t: 'react:R', conv, seq: target, reaction: '+1', on: back % 3 !== 0 }
        return this.#write({ kind: 'reaction', conv, target }, frame)
      }
    }
  }

  #govern(operation: Of<'member' | 'retention'>): boolean {
    const room = this.#rooms[operation.room]
    if (room === undefined) return false
    const { conv } = room
    if (operation.kind === 'retention') {
      const retention = operation.bounds
      return this.#write(
        { kind: 'set', conv, retention },
        { t: 'conv:R', op: 'set', conv, retention },
      )
    }
    const { user: who, joins } = operation
    const op = joins ? 'add' : 'remove'
    return this.#write({ kind: op, conv, who }, { t: 'conv:R', op, conv, user: who })
  }

  #block(on: boolean): boolean {
    const room = this.#rooms.find(({ other }) => other !== null)
    if (room === undefined) return false
    const { conv, other: who } = room
    const kind = on ? 'block' : 'unblock'
    return this.#write({ kind, conv, who }, { t: 'conv:R', op: kind, user: who })
  }

  #text(padding: number): string {
    return `${this.options.device} says ${this.#count + 1} ${'x'.repeat(padding)}`
  }

  // ——— reads ———

  #page({ room: number, back, linearizable }: Of<'page'>): boolean {
    const room = this.#rooms[number]
    if (room === undefined) return false
    this.pull(room.conv, Math.max(0, room.head - back), linearizable, false, () => {})
    return true
  }

  /** `null` for `done`: no page came. */
  pull(
    conv: string,
    after: number,
    linearizable: boolean,
    final: boolean,
    done: (next: { readonly next: number; readonly hasMore: boolean } | null) => void,
  ): void {
    const { mark, node } = this.session
    const asked = this.#history.moment()
    const how = linearizable ? { read: 'linearizable' } : mark === null ? {} : { mark }
    this.session.request({ t: 'pull:R', conv, after, limit: PAGE, ...how }, (answer) => {
      if (answer === null || this.#errorOf(answer) !== null) return done(null)
      const events = (answer['events'] as Record<string, unknown>[]).map(featureEvent)
      const { user, device } = this.options
      const hasMore = answer['hasMore'] as boolean
      const upTo = answer['upTo'] as number
      this.#history.features.pages.push({
        ...{ device, user, node, conv, linearizable, final, asked, after, upTo, hasMore, events },
        gap: answer['gap'] as Gap | null,
        answered: this.#history.moment(),
      })
      for (const event of events) this.#saw(conv, event)
      done({ next: answer['next'] as number, hasMore })
    })
  }

  #ack({ room: number, back, read }: Of<'ack'>): boolean {
    const room = this.#rooms[number]
    const upTo = room === undefined ? 0 : room.head - back
    if (room === undefined || upTo < 1) return false
    const { user, device } = this.options
    const kind = read ? 'read' : 'delivered'
    const ack = { conv: room.conv, upTo, kind } as const
    const record: AckRecord = {
      ...{ user, device, ...ack, shown: Math.min(upTo, room.head) },
      invoked: this.#history.moment(),
      answered: Infinity,
    }
    this.#history.features.acks.push(record)
    this.session.request({ t: 'ack:R', acks: [ack] }, (answer) => {
      if (answer === null || this.#errorOf(answer) !== null) return
      record.answered = this.#history.moment()
    })
    return true
  }

  #receipts(number: number): boolean {
    const room = this.#rooms[number]
    if (room === undefined || room.head === 0) return false
    this.receipts(room.conv, room.head, false, () => {})
    return true
  }

  receipts(conv: string, seq: number, final: boolean, done: (isTold: boolean) => void): void {
    const asked = this.#history.moment()
    this.session.request({ t: 'conv:R', op: 'receipts', conv, seq }, (answer) => {
      if (answer === null || this.#errorOf(answer) !== null) return done(false)
      const { members } = answer['receipts'] as {
        members: { user: string; delivered: number; read: number }[]
      }
      const moment = this.#history.moment()
      for (const { user: member, delivered, read } of members) {
        const told = { by: 'answer', conv, member, asked, moment, final } as const
        this.#told({ ...told, kind: 'delivered', upTo: delivered })
        this.#told({ ...told, kind: 'read', upTo: read })
      }
      done(true)
    })
  }

  #sync(after: number): boolean {
    this.sync(after, false, (page) => {
      if (page !== null && after === this.#inbox) this.#inbox = Math.max(this.#inbox, page.next)
    })
    return true
  }

  sync(after: number, final: boolean, done: (page: SyncPage | null) => void): void {
    const { node } = this.session
    const { user, device } = this.options
    const asked = this.#history.moment()
    this.session.request({ t: 'sync:R', after, limit: PAGE }, (answer) => {
      if (answer === null || this.#errorOf(answer) !== null) return done(null)
      const moment = this.#history.moment()
      const events = (answer['events'] as (Record<string, unknown> & { conv: string })[]).map(
        (wire) => ({ ...featureEvent(wire), conv: wire.conv }),
      )
      const page: SyncPage = {
        ...{ device, user, node, final, asked, answered: moment, after, events },
        next: answer['next'] as number,
        upTo: answer['upTo'] as number,
        hasMore: answer['hasMore'] as boolean,
        gap: answer['gap'] as Gap | null,
        conversations: answer['conversations'] as SyncPage['conversations'],
      }
      this.#history.features.syncs.push(page)
      for (const event of events) this.#saw(event.conv, event)
      type Status = { conv: string; user: string; kind: string; upTo: number }
      for (const { conv, user: member, kind, upTo } of answer['statuses'] as Status[]) {
        this.#told({ by: 'status', conv, member, kind, upTo, asked, moment, final })
      }
      done(page)
    })
  }

  // ——— signals and notices ———

  #signal(number: number): boolean {
    const room = this.#rooms[number]
    if (room === undefined) return false
    const { user, device } = this.options
    const n = ++this.#signals
    const { conv } = room
    const body = `${device} signals ${n}`
    const record = {
      ...{ user, device, session: this.session.connection, conv, n, body },
      ...{ invoked: this.#history.moment(), answered: Infinity, refused: null as string | null },
    }
    this.#history.features.sent.push(record)
    const frame = { t: 'signal:R', conv, name: 'typing', body, n, ttlMs: (n % 3) * 500 }
    this.session.request(frame, (answer) => {
      if (answer === null) return
      record.answered = this.#history.moment()
      record.refused = this.#errorOf(answer)?.code ?? null
    })
    return true
  }

  #noticed(notice: Frame): void {
    const { user, device } = this.options
    const { connection: session, node } = this.session
    const where = { user, device, session, node }
    const { features } = this.#history
    const conv = notice['conv'] as string
    if (notice.t === 'msg:N') {
      const event = featureEvent(notice)
      features.pushes.push({ ...where, conv, event, shown: this.#history.moment() })
      if (event.kind !== '') {
        this.#saw(conv, event)
        this.#took(event.inbox)
      }
    } else if (notice.t === 'signal:N') {
      const { from, device: fromDevice, body } = notice as unknown as Record<string, string>
      const signal = { conv: conv ?? null, from: from!, fromDevice: fromDevice!, body: body! }
      features.heard.push({ ...where, ...signal, moment: this.#history.moment() })
    } else if (notice.t === 'ack:N' && notice['by'] !== undefined && notice['kind'] !== 'expired') {
      const moment = this.#history.moment()
      const [member, kind] = [notice['by'] as string, notice['kind'] as string]
      const upTo = notice['upTo'] as number
      this.#told({ by: 'notice', conv, member, kind, upTo, asked: moment, moment, final: false })
    }
  }

  #told(told: Omit<ReceiptTold, 'user' | 'device' | 'session' | 'node'>): void {
    const { user, device } = this.options
    const { connection: session, node } = this.session
    this.#history.features.receipts.push({ ...told, user, device, session, node })
  }

  // ——— what it knows ———

  #errorOf(answer: Frame): Failure | null {
    const error = answer['error'] as Failure | undefined
    if (error === undefined) return null
    this.refusals.set(error.code, (this.refusals.get(error.code) ?? 0) + 1)
    return error
  }

  #saw(conv: string, { seq, kind, from, inbox }: ReturnType<typeof featureEvent>): void {
    this.#took(inbox)
    this.#reach(conv, seq)
    if (kind !== 'message' || from === this.options.user) return
    remember(this.#roomOf(conv)?.foreign, seq)
  }

  #took(inbox: number | null | undefined): void {
    if (inbox === this.#inbox + 1) this.#inbox += 1
  }

  #reach(conv: string, seq: number): void {
    const room = this.#roomOf(conv)
    if (room !== undefined) room.head = Math.max(room.head, seq)
  }

  #roomOf(conv: string): Room | undefined {
    return this.#rooms.find((room) => room.conv === conv)
  }

  #learn(answer: Frame): void {
    if (typeof answer['now'] === 'number') this.#now = Math.max(this.#now, answer['now'])
  }
}

function remember(seqs: number[] | undefined, seq: number): void {
  if (seqs === undefined || seqs.includes(seq)) return
  seqs.push(seq)
  if (seqs.length > REMEMBERED) seqs.shift()
}
