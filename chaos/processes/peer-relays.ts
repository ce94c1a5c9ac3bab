import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { parseAddress } from '../../node/host/address.ts'
import { RelayedConnection } from './relayed-connection.ts'

export interface RelayedPeer {
  readonly name: string
  /** Where its peers dial it: `host:port` of the relay. */
  readonly address: string
  /** Where it listens itself. */
  readonly behind: string
}

/** More than any cluster has peers. */
const MOST_CONNECTIONS = 500

/**
 * The network between nodes of this machine, as something that can be cut without rights: each node
 * is dialled at a relay before it. A cut holds up what passes, as a partition does: nothing arrives,
 * nothing is answered, nothing is reset. What was on its way goes on when the cut is healed, unless
 * an end of the connection has given it up by then.
 */
export class PeerRelays {
  readonly #peers: readonly RelayedPeer[]
  /** Who is not heard by whom. */
  readonly #cuts = new Map<string, Set<string>>()
  readonly #servers: Server[] = []
  readonly #connections = new Set<RelayedConnection>()

  private constructor(peers: readonly RelayedPeer[]) {
    this.#peers = peers
  }

  /** @throws Error if an address is taken: nothing is left behind then */
  static async listen(peers: readonly RelayedPeer[]): Promise<PeerRelays> {
    const relays = new PeerRelays(peers)
    try {
      for (const peer of peers) await relays.#listen(peer)
    } catch (error) {
      relays.close()
      throw error
    }
    return relays
  }

  /** Holds up what `some` and `others` say to each other; `oneWay`: only what `some` say. */
  cut(some: readonly string[], others: readonly string[], oneWay = false): void {
    for (const one of some) {
      for (const other of others) {
        if (one === other) continue
        this.#hold(one, other)
        if (!oneWay) this.#hold(other, one)
      }
    }
    this.#update()
  }

  /** Takes back all cuts, or those around one node. */
  heal(name?: string): void {
    if (name === undefined) this.#cuts.clear()
    else {
      this.#cuts.delete(name)
      for (const [from, unheard] of this.#cuts) {
        unheard.delete(name)
        if (unheard.size === 0) this.#cuts.delete(from)
      }
    }
    this.#update()
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.get(from)?.has(to) ?? false
  }

  /** With whom the node can have no connection: those that it does not hear or that do not hear it. */
  cutOff(name: string): string[] {
    return this.#peers
      .map((peer) => peer.name)
      .filter((other) => this.isCut(name, other) || this.isCut(other, name))
  }

  /** Ends every connection. */
  close(): void {
    for (const server of this.#servers) server.close()
    for (const connection of this.#connections) connection.end()
  }

  #hold(from: string, to: string): void {
    const unheard = this.#cuts.get(from) ?? new Set()
    this.#cuts.set(from, unheard.add(to))
  }

  #update(): void {
    for (const connection of this.#connections) connection.update()
  }

  async #listen({ name, address, behind }: RelayedPeer): Promise<void> {
    const target = { name, ...parseAddress(behind) }
    const isCut = (from: string, to: string) => this.isCut(from, to)
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const connection: RelayedConnection = new RelayedConnection(socket, target, isCut, () =>
        this.#connections.delete(connection),
      )
      this.#connections.add(connection)
    })
    server.maxConnections = MOST_CONNECTIONS
    this.#servers.push(server)
    server.listen({ ...parseAddress(address), exclusive: true })
    await once(server, 'listening')
    // An accept that fails refuses one peer, which tries again.
    server.on('error', () => undefined)
  }
}
