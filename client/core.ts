import { Acks } from './acks.ts'
import { Connection, type ConnectionListener, type ConnectionStatus } from './connection.ts'
import { ChatError } from './errors.ts'
import { InboxSync, type InboxOwner } from './inbox-sync.ts'
import { Outbox } from './outbox.ts'
import { Journal } from './journal.ts'
import { messageIds, type MessageIds } from './message-id.ts'
import type { ResolvedOptions } from './options.ts'
import { Reads, type ReadsOwner } from './reads.ts'
import { Received } from './received.ts'
import {
  isFailure,
  type AckNotice,
  type BareNotice,
  type HelloAnswer,
  type MessageAnswer,
  type MessageNotice,
  type PingAnswer,
  type RequestFrame,
  type ServerFrame,
  type SignalNotice,
  type SyncAnswer,
} from './protocol/frames.ts'
import { LIMITS } from './protocol/limits.ts'
import { Signals } from './signals.ts'
import type { StoreContents, StoredPlace } from './store/client-store.ts'
import { WaitingAcks } from './waiting-acks.ts'
import type { Write, WriteAnswer } from './write.ts'

/** What happens on a session, for whatever keeps conversations. */
export interface CoreListener {
  /** Takes what the inbox brings. */
  readonly receiving: Omit<InboxOwner, 'ports' | 'sync'> & {
    onGreeted(inboxHead: number | null): void
    /** Own messages have their places in another history than this one. */
    onRestored(epoch: string, places: readonly StoredPlace[]): void
  }
  onNotice(notice: MessageNotice | BareNotice): void
  onReceipt(notice: AckNotice): void
  /** The inbox has no numbers, so what was missed is to be looked for. */
  onLook(): void
  onNewEpoch(epoch: string): void
  onStatus(status: ConnectionStatus): void
  findInHistory(write: Write): Promise<'resend' | 'unknown' | WriteAnswer>
}

/** Connection, outbox and reads around one table of who waits for which answer. */
export class ClientCore implements ConnectionListener {
  readonly options: ResolvedOptions
  readonly connection: Connection
  readonly outbox: Outbox
  readonly reads: Reads
  readonly acks: Acks
  readonly waiting: WaitingAcks
  readonly msgIds: MessageIds
  readonly signals: Signals
  readonly journal: Journal
  readonly inbox: InboxSync
  /** As the node knows it; `null` before the first session. */
  user: string | null = null
  /** Bytes that a body may have, by the node's word. */
  bodyBytes: number = LIMITS.bodyBytes
  readonly #listener: CoreListener
  readonly #waiting = new Map<number | string, (answer: ServerFrame) => void>()
  #lastId = 0
  #logTime: number | null = null
  #isStarting = true
  /** The session under way is on record: what changes anything may go out. */
  #isRecorded = false
  #sessions = 0

  constructor(options: ResolvedOptions, listener: CoreListener) {
    this.options = options
    const { clock, random } = options.ports
    this.msgIds = messageIds(options.idStrategy, options.device, clock, random)
    this.#listener = listener
    this.connection = new Connection(options, this)
    const owner: ReadsOwner = {
      isOnline: () => this.connection.isOnline,
      request: (frame, onAnswer) => {
        const id = this.nextId()
        this.#waiting.set(id, onAnswer)
        this.connection.send({ ...frame, id } as RequestFrame)
      },
      onActivity: () => {
        if (this.isActive()) this.connection.hurry()
      },
    }
    this.journal = new Journal(
      options.store,
      new Received(options.maxReceived, options.maxReceivedBytes),
      {
        session: () => {
          const { epoch, mark } = this.connection
          return {
            ...{ user: this.user ?? this.journal.user, epoch, mark },
            ...{ inbox: this.inbox.position, lastId: this.msgIds.state },
          }
        },
        onFailed: (error) => this.connection.close(error.message, error),
      },
      options.ports.failpoints,
    )
    this.reads = new Reads(options, owner)
    this.inbox = new InboxSync(
      {
        ports: options.ports,
        sync: (frame) => this.reads.read(frame, null) as Promise<SyncAnswer>,
        onInbox: (events) => listener.receiving.onInbox(events),
        onNotify: (conv, seq) => listener.receiving.onNotify(conv, seq),
        onHeads: (rows, isEnd) => listener.receiving.onHeads(rows, isEnd),
        onStatuses: (statuses) => listener.receiving.onStatuses(statuses),
        onHole: (gap) => listener.receiving.onHole(gap),
        onProgress: (done, total) => listener.receiving.onProgress(done, total),
      },
      options.syncPageEvents,
    )
    this.acks = new Acks(options, owner)
    this.signals = new Signals(options, owner)
    this.waiting = new WaitingAcks(options, {
      ...owner,
      isOnline: () => this.#isRecorded,
      forget: (msgId) => this.journal.remove(msgId, () => {}),
    })
    this.outbox = new Outbox(options, {
      ...owner,
      isOnline: () => this.#isRecorded,
      logTime: () => this.#logTime,
      findInHistory: (write) => listener.findInHistory(write),
    })
  }

  nextId(): number {
    return ++this.#lastId
  }

  /** The log's time, for what goes out at once; `null` without a session. */
  get logTimeOnline(): number | null {
    return this.connection.isOnline ? this.#logTime : null
  }

  /** Takes the store. What it holds is not taken up yet. */
  async open(): Promise<StoreContents> {
    const contents = await this.journal.open(this.options.device)
    const { epoch, mark, user, inbox } = contents.session
    if (user !== null && this.options.user !== null && user !== this.options.user) {
      await this.journal.close()
      throw otherUser(user, this.options.user)
    }
    this.connection.resumeFrom(epoch, mark)
    this.inbox.resumeFrom(inbox)
    this.msgIds.state = contents.session.lastId
    return contents
  }

  inboxPosition(): number | null {
    return this.inbox.position
  }

  isActive(): boolean {
    return this.#isStarting || this.outbox.size > 0 || this.reads.size > 0
  }

  /** From now on only work makes it urgent to be connected. */
  started(): void {
    this.#isStarting = false
  }

  objection({ user }: HelloAnswer): ChatError | null {
    const owner = this.journal.user
    return owner === null || owner === user ? null : otherUser(owner, user)
  }

  onOnline(hello: HelloAnswer, isNewEpoch: boolean): void {
    this.#isStarting = false
    this.user = hello.user
    this.bodyBytes = hello.limits.bodyBytes
    if (isNewEpoch) this.#logTime = hello.now
    else this.#heard(hello.now)
    if (isNewEpoch) this.waiting.clear()
    if (isNewEpoch) this.inbox.forget()
    this.inbox.greeted(hello.inbox, this.journal.user !== null && !isNewEpoch)
    const changed = this.outbox.prepare(this.#logTime!, isNewEpoch)
    const session = ++this.#sessions
    this.journal.begin(changed, isNewEpoch, () => {
      if (session !== this.#sessions || !this.connection.isOnline) return
      this.#isRecorded = true
      this.outbox.online(Math.min(MAX_IN_FLIGHT, hello.limits.inflight))
      this.waiting.online()
    })
    if (isNewEpoch) this.#listener.onNewEpoch(hello.epoch)
    this.reads.online()
    if (isNewEpoch) this.acks.forget()
    this.acks.online()
    this.#listener.receiving.onGreeted(this.inbox.head)
    const places = this.journal.acknowledgedBefore(hello.epoch)
    this.#listener.receiving.onRestored(hello.epoch, places)
    if (this.inbox.isNumbered) this.inbox.start()
    else this.#listener.onLook()
  }

  onOffline(): void {
    this.#waiting.clear()
    this.#isRecorded = false
    this.#sessions++
    this.outbox.offline()
    this.reads.offline()
    this.acks.offline()
    this.waiting.offline()
    this.signals.offline()
    this.inbox.offline()
  }

  onFrame(frame: ServerFrame): void {
    if ('now' in frame && frame.now !== undefined) this.#heard(frame.now)
    if (frame.t === 'ping:A' && !isFailure(frame)) this.inbox.pong(frame as PingAnswer)
    else if ('id' in frame) {
      const onAnswer = this.#waiting.get(frame.id)
      if (onAnswer === undefined) return
      this.#waiting.delete(frame.id)
      onAnswer(frame)
      const inbox = frame.t === 'msg:A' ? (frame as Partial<MessageAnswer>).inbox : null
      if (typeof inbox === 'number') this.inbox.own(inbox)
    } else if (frame.t === 'msg:N') {
      const notice = frame as MessageNotice | BareNotice
      this.#listener.onNotice(notice)
    } else if (frame.t === 'ack:N') {
      this.#listener.onReceipt(frame as AckNotice)
    } else if (frame.t === 'signal:N') {
      this.signals.notice(frame as SignalNotice)
    } else if (frame.t === 'leader:N') {
      if ((frame as { leader: unknown }).leader !== null) this.outbox.resendAll()
    }
  }

  onHeartbeat(): void {
    // With numbers, the answer to the heartbeat's ping tells.
    if (!this.inbox.isNumbered) this.#listener.onLook()
  }

  onStatus(status: ConnectionStatus): void {
    if (status.state === 'closed') {
      const { reason, error } = status
      this.outbox.close(
        (write) =>
          new ChatError(error?.code === 'STORE_FAILED' ? 'STORE_FAILED' : 'CLOSED', reason, {
            cause: error,
            outcome:
              write.mayHaveBeenSent || error?.code === 'STORE_FAILED' ? 'unknown' : 'notApplied',
          }),
      )
      this.reads.close(new ChatError('CLOSED', reason, { cause: error }))
    }
    this.#listener.onStatus(status)
  }

  #heard(logTime: number): void {
    if (this.#logTime === null || logTime > this.#logTime) this.#logTime = logTime
  }
}

const MAX_IN_FLIGHT = 1000

/** Its unsettled messages would go out in another's name. */
const otherUser = (owner: string, user: string): ChatError =>
  new ChatError('STORE_MISMATCH', `the store belongs to user ${owner}, not to ${user}`)
