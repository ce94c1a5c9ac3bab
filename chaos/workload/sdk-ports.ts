import { Packr } from 'msgpackr'
import type { ClientPorts, Clock, Random, Socket } from '#client'
import type { Subprotocol } from '#protocol'
import type { Prng } from '../prng.ts'
import type { ClientSocket, SimClients } from '../simulation/sim-clients.ts'
import type { SimScheduler } from '../simulation/sim-scheduler.ts'

export interface SdkPortsParts {
  /** Where the device stands in the network. */
  readonly host: string
  readonly scheduler: SimScheduler
  readonly clients: SimClients
  readonly prng: Prng
  /** The SDK's code threw. */
  readonly onFault: (error: Error) => void
}

const packr = new Packr({ useRecords: false, int64AsType: 'number' })
const EPOCH_MS = Date.UTC(2026, 0, 1)
/** Timers are late by up to this, in ms. */
const LATENESS_MS = 5

/**
 * Clock, chance and sockets of one life of an SDK client. Ended, it never hears of anything again: no
 * timer fires, no message arrives, no promise that waits for one is ever settled.
 */
export class SdkPorts implements ClientPorts {
  readonly clock: Clock
  readonly random: Random
  readonly #parts: SdkPortsParts
  readonly #rate: number
  #alive = true
  #socket: { readonly socket: ClientSocket; readonly closed: () => void } | null = null
  /** The node whose message is being read, or was last. */
  node = ''
  /** The newest one that came (rule B2). */
  mark: string | null = null
  /** Sessions that opened. */
  opened = 0

  constructor(parts: SdkPortsParts) {
    const { scheduler, prng } = parts
    this.#parts = parts
    this.#rate = prng.between(0.98, 1.02)
    const startMs = scheduler.nowMs
    this.clock = {
      wallMs: () => Math.floor(EPOCH_MS + scheduler.nowMs),
      monotonicMs: () => (scheduler.nowMs - startMs) * this.#rate,
      after: (delayMs, run) => {
        const waitMs = Math.max(0, delayMs) / this.#rate + prng.float() * LATENESS_MS
        const event = scheduler.after(waitMs, null, this.#guarded(run))
        return { cancel: () => void (event.run = null) }
      },
      defer: (run) => scheduler.soon(null, this.#guarded(run)),
    }
    this.random = { uint32: () => prng.uint32() }
  }

  openSocket(url: string, subprotocol: string): Socket {
    const { clients, host, scheduler } = this.#parts
    const address = new URL(url).host
    let isClosed = false
    const closed = (code: number) => {
      if (isClosed) return
      isClosed = true
      scheduler.soon(
        null,
        this.#guarded(() => socket.onClose(code, '')),
      )
    }
    const connection = clients.connect(host, address, subprotocol as Subprotocol, {
      onOpen: this.#guarded(() => {
        this.opened += 1
        socket.onOpen()
      }),
      onMessage: (message) => {
        if (!this.#alive || isClosed) return
        this.node = address
        this.#readMark(message)
        this.#guarded(() => socket.onMessage(message))()
      },
      onClose: closed,
    })
    const socket: Socket = {
      send: (data) => connection.send(data),
      close: (code = 1005) => {
        connection.drop()
        closed(code)
      },
      onOpen: () => {},
      onMessage: () => {},
      onClose: () => {},
    }
    this.#socket = { socket: connection, closed: () => closed(1006) }
    return socket
  }

  /** As a phone that moves to another network: the connection is gone, the SDK is told. */
  loseNetwork(): void {
    this.#socket?.socket.drop()
    this.#socket?.closed()
  }

  /** As a process that dies: nobody is told. */
  end(): void {
    this.#alive = false
    this.#socket?.socket.drop()
  }

  #readMark(message: Uint8Array | string): void {
    const decoded: unknown =
      typeof message === 'string' ? JSON.parse(message) : packr.unpack(message)
    const last: unknown = Array.isArray(decoded) ? decoded.at(-1) : decoded
    const { mark } = last as { mark?: unknown }
    if (typeof mark === 'string') this.mark = mark
  }

  #guarded(run: () => void): () => void {
    return () => {
      if (!this.#alive) return
      try {
        run()
      } catch (error) {
        this.#parts.onFault(error as Error)
      }
    }
  }
}
