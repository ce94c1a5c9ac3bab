import { PeerFrameReader, PeerProtocolError } from './peer-frame.ts'

/** Does what a frame asks for. Must not throw: all that it goes by was read and found well-formed. */
export type FrameHandler = () => void

export interface IntakeEvents {
  /** Bytes that a frame may have now. */
  maxBytes(): number
  /**
   * Decodes and does nothing else.
   *
   * @throws PeerProtocolError if the frame is malformed
   */
  read(kind: number, body: Uint8Array): FrameHandler
  /** The peer sent what nobody may send: the connection must end. */
  onMalformed(error: PeerProtocolError): void
  /** An invariant broke: the process must end. */
  onFatal(error: Error): void
}

/**
 * Takes in what one connection brings, and tells apart whose fault a failure is. A frame that cannot
 * be read is the peer's and costs it the connection; anything else that goes wrong, above all while
 * a frame is handled, is this program's. After either nothing more is taken in.
 */
export class FrameIntake {
  readonly #events: IntakeEvents
  readonly #reader: PeerFrameReader
  #stopped = false

  constructor(events: IntakeEvents) {
    this.#events = events
    this.#reader = new PeerFrameReader(
      (kind, body) => this.#take(kind, body),
      () => events.maxBytes(),
    )
  }

  push(bytes: Uint8Array): void {
    if (this.#stopped) return
    try {
      this.#reader.push(bytes)
    } catch (error) {
      this.#stopped = true
      if (error instanceof PeerProtocolError) this.#events.onMalformed(error)
      else this.#events.onFatal(error as Error)
    }
  }

  /** What is still to come is not heard. */
  stop(): void {
    this.#stopped = true
  }

  #take(kind: number, body: Uint8Array): void {
    if (this.#stopped) return
    const handle = this.#events.read(kind, body)
    try {
      handle()
    } catch (error) {
      this.#stopped = true
      this.#events.onFatal(error as Error)
    }
  }
}
