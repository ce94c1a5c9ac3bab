import { Packr } from 'msgpackr'
import type { Subprotocol } from '#protocol'
import type { Prng } from '../prng.ts'
import type { ClientSocket, SimClients } from '../simulation/sim-clients.ts'
import type { SimScheduler } from '../simulation/sim-scheduler.ts'

const packr = new Packr({ useRecords: false, int64AsType: 'number' })

export type Frame = { t: string; id?: number; [field: string]: unknown }

export interface SessionOptions {
  readonly user: string
  readonly device: string
  readonly subprotocol: Subprotocol
  /** Client addresses of all nodes. */
  readonly addresses: readonly string[]
}

/** Who hears what comes. */
export interface SessionEvents {
  /** What it resumes from beside the mark; asked each time. */
  readonly position?: () => { readonly inbox: number }
  readonly onGreeted: (answer: Frame) => void
  readonly onNotice: (notice: Frame) => void
}

const REQUEST_TIMEOUT_MS = 7_000
/** Neither open nor greeted by then: another node may do better. */
const GREETING_MS = 4_000

/**
 * The connection of a simulated device that speaks the wire by itself: to one node after the other,
 * with the newest mark, for as long as it lives.
 */
export class SimSession {
  readonly options: SessionOptions
  readonly #scheduler: SimScheduler
  readonly #clients: SimClients
  readonly #prng: Prng
  readonly #events: SessionEvents
  readonly #waiting = new Map<number, (answer: Frame | null) => void>()
  #socket: ClientSocket | null = null
  #greeted = false
  #id = 0
  #epoch = ''
  #stopped = false
  /** Counts its connections. */
  connection = 0
  /** The node that it is connected to. */
  node = ''
  mark: string | null = null
  /** Of the message that is being read. */
  shownMark: string | null = null

  constructor(
    options: SessionOptions,
    parts: { scheduler: SimScheduler; clients: SimClients; prng: Prng },
    events: SessionEvents,
  ) {
    this.options = options
    this.#scheduler = parts.scheduler
    this.#clients = parts.clients
    this.#prng = parts.prng
    this.#events = events
  }

  get isReady(): boolean {
    return this.#greeted
  }

  /** As if it had been shown that before. */
  resumeFrom(epoch: string, mark: string): void {
    this.#epoch = epoch
    this.mark = mark
  }

  start(): void {
    const address = this.#prng.pick(this.options.addresses)
    this.node = address
    const { user, device, subprotocol } = this.options
    const connection = ++this.connection
    const mine = (run: () => void) => () => {
      if (connection === this.connection && !this.#stopped) run()
    }
    this.later(
      GREETING_MS,
      mine(() => {
        if (!this.#greeted) this.drop()
      }),
    )
    this.#socket = this.#clients.connect(device, address, subprotocol, {
      onOpen: mine(() => {
        // Monotonic reads across nodes: the next one first applies what the last one showed (B2).
        const position = this.#events.position?.() ?? {}
        const resume =
          this.mark === null ? {} : { resume: { epoch: this.#epoch, mark: this.mark, ...position } }
        const id = ++this.#id
        this.#waiting.set(id, (answer) => this.#hello(answer))
        this.#write({ t: 'hello:R', id, v: [1, 1], user, device, ...resume })
      }),
      onMessage: (message) => {
        if (connection === this.connection && !this.#stopped) this.#receive(message)
      },
      onClose: mine(() => this.drop()),
    })
  }

  stop(): void {
    this.#stopped = true
    this.#socket?.drop()
  }

  /** Gone without a word; another node before long. */
  drop(): void {
    this.connection += 1
    this.#socket?.drop()
    this.#socket = null
    this.#greeted = false
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const done of waiting) done(null)
    this.later(this.#prng.between(5, 150), () => {
      if (this.#socket === null) this.start()
    })
  }

  /** Sends once connected; `null` if the connection ended first. */
  request(frame: Frame, done: (answer: Frame | null) => void): void {
    const socket = this.#socket
    if (socket === null || !this.#greeted) {
      done(null)
      return
    }
    const id = ++this.#id
    this.#waiting.set(id, done)
    this.#write({ ...frame, id })
    this.later(REQUEST_TIMEOUT_MS, () => {
      if (!this.#waiting.has(id)) return
      // Nothing for so long: another node may do better.
      this.drop()
    })
  }

  later(delayMs: number, run: () => void): void {
    this.#scheduler.after(delayMs, null, () => {
      if (!this.#stopped) run()
    })
  }

  #hello(answer: Frame | null): void {
    if (answer === null) return
    if (answer['error'] !== undefined) {
      this.drop()
      return
    }
    this.#greeted = true
    this.#epoch = answer['epoch'] as string
    this.#events.onGreeted(answer)
  }

  #write(frame: Frame): void {
    const { subprotocol } = this.options
    const message =
      subprotocol === 'parley.v1.json' ? JSON.stringify(frame) : new Uint8Array(packr.pack(frame))
    this.#socket?.send(message)
  }

  #receive(message: Uint8Array | string): void {
    const decoded = (typeof message === 'string' ? JSON.parse(message) : packr.unpack(message)) as
      Frame | Frame[]
    const frames = Array.isArray(decoded) ? decoded : [decoded]
    const mark = frames.at(-1)?.['mark']
    if (typeof mark === 'string') this.mark = mark
    this.shownMark = typeof mark === 'string' ? mark : null
    for (const frame of frames) {
      const done = frame.id === undefined ? undefined : this.#waiting.get(frame.id)
      if (done !== undefined) {
        this.#waiting.delete(frame.id!)
        done(frame)
      } else if (frame.id === undefined) this.#events.onNotice(frame)
    }
  }
}
