import net from 'node:net'
import type { Address, Connection, Listener, Network } from '#cluster'
import { formatAddress, parseAddress } from './address.ts'
import { NetworkError } from './network-error.ts'

const KEEP_ALIVE_MS = 10_000
const BACKLOG = 511

/** TCP. Small writes leave at once; a peer whose machine vanished is noticed in the end. */
export class NodeNetwork implements Network {
  async listen(
    address: Address,
    onConnection: (connection: Connection) => void,
  ): Promise<Listener> {
    const { host, port } = parseAddress(address)
    const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }
    const server = net.createServer(options, (socket) => onConnection(new TcpConnection(socket)))
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
    return new Promise((resolve, reject) => {
      const socket = net.connect({
        host,
        port,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: KEEP_ALIVE_MS,
      })
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
        fail(cause.message, cause.code ?? 'UNKNOWN', cause)
      socket.on('error', onError)
      socket.once('connect', () => {
        clearTimeout(timer)
        socket.off('error', onError)
        resolve(new TcpConnection(socket))
      })
    })
  }
}

class TcpConnection implements Connection {
  readonly remote: Address
  readonly #socket: net.Socket
  #error: Error | null = null
  onData: (bytes: Uint8Array) => void = () => undefined
  onClose: (error: Error | null) => void = () => undefined

  constructor(socket: net.Socket) {
    this.#socket = socket
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
