import net from 'node:net'
import tls from 'node:tls'
import type { Address, Connection, Listener, Network } from '#cluster'
import { formatAddress, parseAddress } from './address.ts'
import { NetworkError } from './network-error.ts'
import { limitPeerSockets } from './peer-socket-limits.ts'
import type { PeerGuard } from './tls/peer-guard.ts'

const KEEP_ALIVE_MS = 10_000
const BACKLOG = 511
/** More connections than any cluster has peers; a stranger who opens as many costs no more memory. */
const MOST_CONNECTIONS = 1_000

const SOCKET = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS } as const

/**
 * TCP, and TLS over it where peers show that they belong to the cluster. Small writes leave at once; a
 * peer whose machine vanished is noticed in the end.
 */
export class NodeNetwork implements Network {
  readonly #guard: PeerGuard | null

  /** `null`: whoever connects is a peer. */
  constructor(guard: PeerGuard | null = null) {
    this.#guard = guard
  }

  async listen(
    address: Address,
    onConnection: (connection: Connection) => void,
  ): Promise<Listener> {
    const { host, port } = parseAddress(address)
    const server =
      this.#guard === null
        ? net.createServer(SOCKET, (socket) => onConnection(new TcpConnection(socket)))
        : this.#guard.server(SOCKET, (socket, names) =>
            onConnection(new TcpConnection(socket, names)),
          )
    server.maxConnections = MOST_CONNECTIONS
    limitPeerSockets(server)
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => reject(NetworkError.ofListen(address, cause)))
      server.listen({ host, port, backlog: BACKLOG, exclusive: true }, resolve)
    })
    // An accept that fails (no file descriptors left) refuses one peer, which tries again.
    server.removeAllListeners('error').on('error', () => undefined)
    const bound = server.address() as net.AddressInfo
    return {
      address: formatAddress(bound.address, bound.port),
      // Resolves when the address is free; connections live on until their owner ends them.
      close: () =>
        new Promise<void>((resolve) => {
          server.close()
          setImmediate(resolve)
        }),
    }
  }

  async connect(address: Address, timeoutMs: number): Promise<Connection> {
    const { host, port } = parseAddress(address)
    const call = this.#guard?.dial(address) ?? null
    return new Promise((resolve, reject) => {
      const socket =
        call === null
          ? net.connect({ host, port, ...SOCKET })
          : tls.connect({ host, port, ...SOCKET, ...call.options })
      const fail = (message: string, code: string, cause?: Error): void => {
        clearTimeout(timer)
        socket.destroy()
        reject(new NetworkError(`cannot reach ${address}: ${message}`, code, { cause }))
      }
      const timer = setTimeout(
        () => fail(`no answer within ${timeoutMs} ms`, 'ETIMEDOUT'),
        timeoutMs,
      )
      const onError = (cause: NodeJS.ErrnoException): void =>
        fail(call?.failed(cause) ?? cause.message, cause.code ?? 'UNKNOWN', cause)
      socket.on('error', onError)
      const connected = (names?: readonly string[] | null): void => {
        clearTimeout(timer)
        socket.off('error', onError)
        resolve(new TcpConnection(socket, names))
      }
      if (call === null) socket.once('connect', () => connected())
      else {
        socket.once('secureConnect', () => {
          const proof = call.connected(socket as tls.TLSSocket)
          if ('refusal' in proof) fail(proof.refusal, 'PEER_UNTRUSTED')
          else connected(proof.names)
        })
      }
    })
  }
}

class TcpConnection implements Connection {
  readonly remote: Address
  readonly names?: readonly string[]
  readonly #socket: net.Socket
  #error: Error | null = null
  onData: (bytes: Uint8Array) => void = () => undefined
  onClose: (error: Error | null) => void = () => undefined

  constructor(socket: net.Socket, names: readonly string[] | null = null) {
    this.#socket = socket
    if (names !== null) this.names = names
    this.remote = formatAddress(socket.remoteAddress ?? 'unknown', socket.remotePort ?? 0)
    socket.on('data', (bytes) => this.onData(bytes as Buffer))
    socket.on('error', (error) => (this.#error = error))
    socket.once('close', () => this.onClose(this.#error))
  }

  bufferedBytes(): number {
    return this.#socket.writableLength
  }

  write(bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(bytes)
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
