import { Connection, type ConnectionListener, type ConnectionStatus } from './connection.ts'
import { ChatError } from './errors.ts'
import { Outbox, type WithoutId } from './outbox.ts'
import type { ResolvedOptions } from './options.ts'
import { Reads } from './reads.ts'
import type {
  BareNotice,
  HelloAnswer,
  MessageNotice,
  RequestFrame,
  ServerFrame,
} from './protocol/frames.ts'
import { LIMITS } from './protocol/limits.ts'
import type { Write, WriteAnswer } from './write.ts'

/** What happens on a session, for whatever keeps conversations. */
export interface CoreListener {
  onNotice(notice: MessageNotice | BareNotice): void
  /** A session stands, or a heartbeat went by: what was missed may be looked for. */
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
  /** As the node knows it; `null` before the first session. */
  user: string | null = null
  /** Bytes that a body may have, by the node's word. */
  bodyBytes: number = LIMITS.bodyBytes
  readonly #listener: CoreListener
  readonly #waiting = new Map<number | string, (answer: ServerFrame) => void>()
  #lastId = 0
  #logTime: number | null = null
  #isStarting = true

  constructor(options: ResolvedOptions, listener: CoreListener) {
    this.options = options
    this.#listener = listener
    this.connection = new Connection(options, this)
    const owner = {
      isOnline: () => this.connection.isOnline,
      request: (frame: WithoutId, onAnswer: (answer: ServerFrame) => void) => {
        const id = this.nextId()
        this.#waiting.set(id, onAnswer)
        this.connection.send({ ...frame, id } as RequestFrame)
      },
      onActivity: () => {
        if (this.isActive()) this.connection.hurry()
      },
    }
    this.reads = new Reads(options, owner)
    this.outbox = new Outbox(options, {
      ...owner,
      logTime: () => this.#logTime,
      findInHistory: (write) => listener.findInHistory(write),
    })
  }

  nextId(): number {
    return ++this.#lastId
  }

  isActive(): boolean {
    return this.#isStarting || this.outbox.size > 0 || this.reads.size > 0
  }

  /** From now on only work makes it urgent to be connected. */
  started(): void {
    this.#isStarting = false
  }

  onOnline(hello: HelloAnswer, isNewEpoch: boolean): void {
    this.#isStarting = false
    this.user = hello.user
    this.bodyBytes = hello.limits.bodyBytes
    if (isNewEpoch) {
      this.#logTime = hello.now
      this.outbox.newEpoch(hello.now)
      this.#listener.onNewEpoch(hello.epoch)
    } else this.#heard(hello.now)
    this.outbox.online(Math.min(MAX_IN_FLIGHT, hello.limits.inflight))
    this.reads.online()
    this.#listener.onLook()
  }

  onOffline(): void {
    this.#waiting.clear()
    this.outbox.offline()
    this.reads.offline()
  }

  onFrame(frame: ServerFrame): void {
    if ('now' in frame && frame.now !== undefined) this.#heard(frame.now)
    if ('id' in frame) {
      const onAnswer = this.#waiting.get(frame.id)
      if (onAnswer === undefined) return
      this.#waiting.delete(frame.id)
      onAnswer(frame)
    } else if (frame.t === 'msg:N') {
      const notice = frame as MessageNotice | BareNotice
      this.#listener.onNotice(notice)
    } else if (frame.t === 'leader:N') {
      if ((frame as { leader: unknown }).leader !== null) this.outbox.resendAll()
    }
  }

  onHeartbeat(): void {
    this.#listener.onLook()
  }

  onStatus(status: ConnectionStatus): void {
    if (status.state === 'closed') {
      const { reason, error } = status
      this.outbox.close(
        (write) =>
          new ChatError('CLOSED', reason, {
            cause: error,
            outcome: write.mayHaveBeenSent ? 'unknown' : 'notApplied',
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
