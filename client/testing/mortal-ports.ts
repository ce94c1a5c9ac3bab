import type { ClientFailpoints } from '../failpoints.ts'
import type { ClientPorts, Socket } from '../ports.ts'

/** Ports of a process that can be killed: after that it never hears of anything again. */
export class MortalPorts implements ClientPorts {
  readonly clock: ClientPorts['clock']
  readonly random: ClientPorts['random']
  readonly failpoints: ClientFailpoints
  readonly #ports: ClientPorts
  readonly #sockets: Socket[] = []
  #isAlive = true

  constructor(ports: ClientPorts, failpoints: ClientFailpoints) {
    this.#ports = ports
    this.failpoints = failpoints
    this.random = ports.random
    this.clock = {
      wallMs: () => ports.clock.wallMs(),
      monotonicMs: () => ports.clock.monotonicMs(),
      after: (delayMs, run) => ports.clock.after(delayMs, this.#guarded(run)),
      defer: (run) => ports.clock.defer(this.#guarded(run)),
    }
  }

  openSocket(url: string, subprotocol: string): Socket {
    const real = this.#ports.openSocket(url, subprotocol)
    const socket: Socket = {
      send: (data) => {
        if (this.#isAlive) real.send(data)
      },
      close: (code, reason) => real.close(code, reason),
      onOpen: () => {},
      onMessage: () => {},
      onClose: () => {},
    }
    real.onOpen = this.#guarded(() => socket.onOpen())
    real.onMessage = (data) => this.#guarded(() => socket.onMessage(data))()
    real.onClose = (code, reason) => this.#guarded(() => socket.onClose(code, reason))()
    this.#sockets.push(real)
    return socket
  }

  kill(): void {
    this.#isAlive = false
    for (const socket of this.#sockets) socket.close()
  }

  #guarded(run: () => void): () => void {
    return () => {
      if (this.#isAlive) run()
    }
  }
}
