import type { RequestFrame, ServerFrame } from '#protocol'
import { helloOf, type LoadTarget } from './load-target.ts'
import { openSession } from './open-session.ts'
import { ConnectError, type WireConnection } from './wire-connection.ts'

export interface AskingSessionOptions {
  readonly target: LoadTarget
  readonly user: string
  readonly device: string
  /** Of the target's addresses, the one that is tried first. */
  readonly first: number
  /** For the session. @default 60_000 */
  readonly patienceMs?: number
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never
export type Question = DistributiveOmit<RequestFrame, 'id'>

const PATIENCE_MS = 60_000

/** A session that asks one thing after the other. */
export class AskingSession {
  #connection!: WireConnection
  #waiting: { resolve: (frame: ServerFrame) => void; reject: (error: Error) => void } | null = null
  #id = 0

  /** @throws ConnectError */
  static async open(options: AskingSessionOptions): Promise<AskingSession> {
    const { target, user, device, first, patienceMs = PATIENCE_MS } = options
    const session = new AskingSession()
    session.#connection = await openSession({
      ...{ urls: target.urls, first, patienceMs },
      hello: helloOf(target, user, device),
      onFrame: (frame) => {
        if ('id' in frame && frame.id === session.#id) session.#waiting?.resolve(frame)
      },
      onEnd: () => session.#waiting?.reject(new ConnectError('CONNECTION_LOST', 'it ended')),
    })
    return session
  }

  /** The answer, a failure too. @throws ConnectError if there is none */
  ask(question: Question): Promise<ServerFrame> {
    this.#id += 1
    return new Promise((resolve, reject) => {
      const late = () => this.#waiting?.reject(new ConnectError('UNANSWERED', question.t))
      const timer = setTimeout(late, PATIENCE_MS)
      const end = () => {
        clearTimeout(timer)
        this.#waiting = null
      }
      this.#waiting = {
        resolve: (frame) => {
          end()
          resolve(frame)
        },
        reject: (error) => {
          end()
          reject(error)
        },
      }
      this.#connection.send({ ...question, id: this.#id })
      this.#connection.flush()
    })
  }

  /** What is asked has no answer then. */
  close(): void {
    this.#waiting?.reject(new ConnectError('UNANSWERED', 'the session was closed'))
    this.#connection.close()
  }
}
