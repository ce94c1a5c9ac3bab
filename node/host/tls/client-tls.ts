import type { RequestListener } from 'node:http'
import https from 'node:https'
import type { SecureVersion, TlsOptions } from 'node:tls'
import { counterCells } from '#cluster'
import type { Reloadable } from './reloadable.ts'
import type { TlsMaterial } from './tls-material.ts'

/** TLS for clients and operators: what is new in the files goes for connections from then on. */
export class ClientTls {
  readonly faults = counterCells('handshake')
  readonly #material: Reloadable<TlsMaterial>
  readonly #minVersion: SecureVersion
  readonly #servers = new Set<https.Server>()

  constructor(material: Reloadable<TlsMaterial>, minVersion: SecureVersion) {
    this.#material = material
    this.#minVersion = minVersion
    material.onChange((next) => {
      for (const server of this.#servers) server.setSecureContext(this.#options(next))
    })
  }

  createServer(options: https.ServerOptions, listener: RequestListener): https.Server {
    const server = https.createServer(
      { ...options, ...this.#options(this.#material.current), handshakeTimeout: 10_000 },
      listener,
    )
    server.on('tlsClientError', (_error, socket) => {
      this.faults.handshake.add()
      socket.destroy()
    })
    this.#servers.add(server)
    server.once('close', () => this.#servers.delete(server))
    return server
  }

  #options({ cert, key }: TlsMaterial): TlsOptions {
    return { cert, key, minVersion: this.#minVersion }
  }
}
