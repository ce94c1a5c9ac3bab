import { check, encode } from './checks.ts'
import { Emitter } from './emitter.ts'
import { ChatError } from './errors.ts'
import type { ResolvedOptions } from './options.ts'
import { decodeBody } from './protocol/body-codec.ts'
import { isFailure, type SignalNotice } from './protocol/frames.ts'
import type { Requests } from './requests.ts'

/** Something of the moment: typing, a call that rings, whatever the application makes of it. */
export interface Signal {
  /** `null`: it was sent to this user, not to a conversation. */
  readonly conversation: string | null
  readonly from: string
  readonly device: string
  /** What kind it is, in the application's words. */
  readonly name: string
  readonly body: unknown
}

/** How a signal is sent. */
export interface SignalOptions {
  /** Nobody gets it later than this after it was taken. @default the node's */
  readonly ttlMs?: number | undefined
}

/** At most once: what cannot go out now is gone, and nothing is ever sent again (rule B8). */
export class Signals {
  readonly #options: ResolvedOptions
  readonly #owner: Requests
  readonly #emitter: Emitter<{ signal: Signal }>
  /** Without an answer on this session. */
  readonly #asked = new Set<(isTaken: boolean) => void>()
  #n = 0

  constructor(options: ResolvedOptions, owner: Requests) {
    this.#options = options
    this.#owner = owner
    this.#emitter = new Emitter(options.ports.clock)
  }

  /** Resolves with whether a node took it. Rejects with a verdict, such as NOT_MEMBER. */
  send(
    target: { readonly conv: string | null; readonly to: string | null },
    name: string,
    body: unknown,
    { ttlMs }: SignalOptions,
  ): Promise<boolean> {
    // Rising over restarts too, for receivers drop what is not newer than the last.
    this.#n = Math.max(this.#n + 1, Math.trunc(this.#options.ports.clock.wallMs()))
    const { conv, to } = target
    const place = { conv: conv ?? undefined, to: to ?? undefined }
    const frame = { t: 'signal:R', ...place, name, body: encode(body), n: this.#n, ttlMs } as const
    check(frame)
    if (!this.#owner.isOnline() || this.#asked.size >= MAX_ASKED) return Promise.resolve(false)
    const taken = new Promise<boolean>((resolve, reject) => {
      this.#asked.add(resolve)
      this.#owner.request(frame, (answer) => {
        this.#asked.delete(resolve)
        if (!isFailure(answer)) resolve(true)
        else if (answer.error.retryable) resolve(false)
        else reject(ChatError.fromWire(answer.error))
      })
    })
    taken.catch(() => {})
    return taken
  }

  notice({ conv, from, device, name, body }: SignalNotice): void {
    this.#emitter.emit('signal', {
      ...{ conversation: conv ?? null, from, device, name },
      body: decodeBody(body),
    })
  }

  on(listener: (signal: Signal) => void): () => void {
    return this.#emitter.on('signal', listener)
  }

  /** The answers to what was asked will not come any more. */
  offline(): void {
    for (const resolve of this.#asked) resolve(false)
    this.#asked.clear()
  }
}

const MAX_ASKED = 1000
