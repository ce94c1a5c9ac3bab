import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import tls from 'node:tls'
import { type Address, counterCells, type Logger } from '#cluster'
import { PEER_FAULTS } from '../../security-report.ts'
import { formatAddress } from '../address.ts'
import {
  clientOptions,
  handshakeError,
  type PeerCredentials,
  PeerTlsError,
  proofOf,
  serverOptions,
} from './peer-tls.ts'

/** The same complaint is worth one line in this time, in ms. */
const COMPLAIN_AGAIN_MS = 60_000
const MAX_COMPLAINTS = 100
/** A connection that would not be made any more ends so long after the credentials changed, in ms. */
const GRACE_MS = 10_000
/** How long an operator is told of somebody who was turned away, in ms. */
const RECENT_MS = 60_000

export interface Dialled {
  readonly options: tls.ConnectionOptions
  connected(socket: tls.TLSSocket): { names: readonly string[] | null } | { refusal: string }
  /** In words. */
  failed(cause: NodeJS.ErrnoException): string
}

/**
 * Lets through connections whose other end shows a certificate or the cluster secret, in both
 * directions, and says who was turned away and why.
 */
export class PeerGuard {
  readonly faults = counterCells(...PEER_FAULTS)
  readonly #logger: Logger
  readonly #servers = new Set<tls.Server>()
  /** By what each was let in: the id of a secret, or a certificate. */
  readonly #open = new Map<Socket, string | X509Certificate>()
  /** Of a peer that does not take the first of the secrets: the next one to try. */
  readonly #secretAt = new Map<Address, number>()
  readonly #complaints = new Map<string, number>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #credentials: PeerCredentials
  #newest: { readonly message: string; readonly atMs: number } | null = null

  constructor(credentials: PeerCredentials, logger: Logger) {
    this.#credentials = credentials
    this.#logger = logger
  }

  /** Who was turned away within the last minute; `null`: nobody. */
  get recentFault(): string | null {
    const newest = this.#newest
    return newest !== null && performance.now() - newest.atMs < RECENT_MS ? newest.message : null
  }

  /**
   * For connections from now on. Those by a certificate that was revoked end at once; those that were
   * made by a secret that is gone, or under authorities of which one is gone, after ten seconds, and are
   * made anew; all others live on.
   */
  change(credentials: PeerCredentials): void {
    const before = this.#credentials
    this.#credentials = credentials
    for (const server of this.#servers) server.setSecureContext(serverOptions(credentials))
    this.#endRevoked(credentials)
    const secrets = new Set(credentials.secrets.map(({ id }) => id))
    const authorities = new Set(credentials.certificate?.authorities)
    const isShrunk = before.certificate?.authorities.some((one) => !authorities.has(one)) ?? false
    const gone = [...this.#open].filter(([, by]) =>
      typeof by === 'string' ? !secrets.has(by) : isShrunk,
    )
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      for (const [socket] of gone) socket.destroy()
    }, GRACE_MS)
    this.#timers.add(timer.unref())
  }

  /** The server ends what does not belong to the cluster; `onPeer` hears of the rest. */
  server(
    options: object,
    onPeer: (socket: tls.TLSSocket, names: readonly string[] | null) => void,
  ): tls.Server {
    const offered = new WeakMap<object, string>()
    const server = tls.createServer({
      ...options,
      ...serverOptions(this.#credentials),
      pskCallback: (socket, identity) => {
        const secret = this.#credentials.secrets.find(({ id }) => id === identity)
        if (secret !== undefined) offered.set(socket, secret.id)
        return secret?.key ?? null
      },
    })
    server.on('tlsClientError', (cause: NodeJS.ErrnoException, socket) => {
      // Who only looks whether the port is open says nothing worth a line.
      if (cause.code === 'ECONNRESET') return
      this.#complain(handshakeError(cause), remoteOf(socket), 'in')
    })
    server.on('secureConnection', (socket) => {
      socket.on('error', () => socket.destroy())
      try {
        const proof = proofOf(socket, this.#credentials)
        const by = proof === null ? (offered.get(socket) ?? '') : proof.certificate
        // Taken away within the handshake.
        if (proof === null && !this.#credentials.secrets.some(({ id }) => id === by)) {
          throw new PeerTlsError('secret', 'its secret was just taken away')
        }
        this.#opened(socket, by)
        onPeer(socket, proof?.names ?? null)
      } catch (error) {
        if (!(error instanceof PeerTlsError)) throw error
        // Once it is destroyed nobody knows where it came from.
        this.#complain(error, remoteOf(socket), 'in')
        socket.destroy()
      }
    })
    this.#servers.add(server)
    server.once('close', () => this.#servers.delete(server))
    return server
  }

  dial(address: Address): Dialled {
    const credentials = this.#credentials
    const { secrets } = credentials
    const at = (this.#secretAt.get(address) ?? 0) % Math.max(1, secrets.length)
    const secret = secrets[at] ?? null
    const refused = (error: PeerTlsError): string => {
      if (secrets.length > 1) this.#secretAt.set(address, at + 1)
      this.#complain(error, address, 'out')
      return error.message
    }
    return {
      options: clientOptions(credentials, secret),
      connected: (socket) => {
        try {
          const proof = proofOf(socket, credentials)
          if (credentials !== this.#credentials) return { refusal: 'credentials just changed' }
          this.#opened(socket, proof === null ? secret!.id : proof.certificate)
          return { names: proof?.names ?? null }
        } catch (error) {
          if (!(error instanceof PeerTlsError)) throw error
          return { refusal: refused(error) }
        }
      },
      failed: (cause) => {
        // Anything but a word of TLS is the network's.
        if (!/^(ERR_SSL|ERR_TLS|EPROTO)/.test(cause.code ?? '')) return cause.message
        return refused(handshakeError(cause))
      },
    }
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer)
  }

  #endRevoked({ certificate }: PeerCredentials): void {
    for (const [socket, by] of this.#open) {
      const sinceMs = typeof by === 'string' ? null : certificate?.revoked?.sinceOf(by)
      if (typeof sinceMs === 'number') socket.destroy()
    }
  }

  #opened(socket: Socket, by: string | X509Certificate): void {
    this.#open.set(socket, by)
    socket.once('close', () => this.#open.delete(socket))
    // What the other side says against this node comes after the handshake.
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code?.includes('ALERT')) {
        this.#complain(handshakeError(cause), remoteOf(socket), 'out')
      }
    })
  }

  #complain({ fault, message }: PeerTlsError, remote: string, direction: 'in' | 'out'): void {
    this.faults[fault].add()
    const atMs = performance.now()
    const host = remote.slice(0, remote.lastIndexOf(':'))
    // A dialler comes from another port each time.
    const key = `${direction === 'in' ? host : remote} ${message}`
    // Who only sends bytes is none of the peers that an operator waits for.
    if (fault !== 'handshake') {
      this.#newest = { message: `${direction === 'in' ? host : remote}: ${message}`, atMs }
    }
    const last = this.#complaints.get(key)
    if (last !== undefined && atMs - last < COMPLAIN_AGAIN_MS) return
    for (const [one, toldMs] of this.#complaints) {
      if (atMs - toldMs >= COMPLAIN_AGAIN_MS) this.#complaints.delete(one)
    }
    if (this.#complaints.size >= MAX_COMPLAINTS) return
    this.#complaints.set(key, atMs)
    this.#logger.warn('peer.untrusted', { remote, direction, fault, message })
  }
}

const remoteOf = ({ remoteAddress, remotePort }: Socket): string =>
  formatAddress(remoteAddress ?? 'unknown', remotePort ?? 0)
