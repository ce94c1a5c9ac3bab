/**
 * One connection of a peer's own client. `answered` hears of every message once, by its id, with
 * what went wrong or `null` when it was acknowledged.
 */
export interface Publisher {
  /** Hands one message over without waiting; the client may gather what one turn brought. */
  publish(id: number, body: Buffer): void
}

export interface PublisherOptions {
  readonly url: string
  /** Which of the connections this is, from 0. */
  readonly connection: number
  /** Conversations that this connection sends to in turn. */
  readonly conversations: number
  readonly answered: (id: number, error: string | null) => void
}

export type ConnectPublisher = (options: PublisherOptions) => Promise<Publisher>
