import { type Address, type Connection, type Listener, type Network, PeerFrameKind } from '#cluster'
import { FRAME_HEADER_BYTES } from '../../cluster/transport/peer-frame.ts'
import type { Prng } from '../prng.ts'
import { type LinkOptions, SimLink } from './sim-link.ts'
import { SimPipe } from './sim-pipe.ts'
import type { SimProcess } from './sim-process.ts'
import type { SimScheduler } from './sim-scheduler.ts'

interface Listening {
  readonly process: SimProcess
  readonly onConnection: (connection: Connection) => void
}

/**
 * Every wire of the simulated world. Hosts are known by name; an address belongs to whoever listens
 * there. What a cut, a dead process and a dead host look like from outside follows TCP: a killed
 * process resets its connections, a host without power says nothing at all.
 */
export class SimNetwork {
  readonly #scheduler: SimScheduler
  readonly #prng: Prng
  readonly #options: LinkOptions
  readonly #links = new Map<string, SimLink>()
  readonly #listening = new Map<Address, Listening>()
  readonly #hostOfAddress = new Map<Address, string>()
  readonly #unpowered = new Set<string>()
  readonly #sockets = new Set<SimSocket>()
  #ephemeralPort = 30_000
  #remembers = false
  /** Sees what every process writes, as it is written. A throw is a verdict on the run. */
  tap: (process: SimProcess, bytes: Uint8Array, toHost: string) => void = () => {}

  constructor(scheduler: SimScheduler, prng: Prng, options: LinkOptions) {
    this.#scheduler = scheduler
    this.#prng = prng
    this.#options = options
  }

  /** The network port of one process. */
  portOf(process: SimProcess): Network {
    return {
      listen: (address, onConnection) => this.#listen(process, address, onConnection),
      connect: (address, timeoutMs) => this.#connect(process, address, timeoutMs),
    }
  }

  link(from: string, to: string): SimLink {
    const key = `${from}>${to}`
    let link = this.#links.get(key)
    if (link === undefined) {
      link = new SimLink(from, to, this.#options, this.#prng.split(key))
      link.remembers = this.#remembers
      this.#links.set(key, link)
    }
    return link
  }

  /** Every link from now on remembers what passes, so that it can be replayed. */
  rememberFrames(): void {
    this.#remembers = true
    for (const link of this.#links.values()) link.remembers = true
  }

  cut(from: string, to: string): void {
    this.link(from, to).cut(this.#scheduler.nowMs)
  }

  heal(from: string, to: string): void {
    this.link(from, to).heal(this.#scheduler.nowMs)
  }

  /** Deliveries that cuts held up. */
  get heldUp(): number {
    let count = 0
    for (const link of this.#links.values()) count += link.heldUp
    return count
  }

  healAll(): void {
    for (const link of this.#links.values()) {
      link.cloggedUntilMs = 0
      link.slowMs = 0
      link.stallShare = 0
      link.replayShare = 0
      link.isClean = true
      link.heal(this.#scheduler.nowMs)
    }
    for (const socket of this.#sockets) socket.hurry()
  }

  /** Resets every connection between two hosts, with bytes under way lost. */
  reset(a: string, b: string): number {
    let count = 0
    for (const socket of [...this.#sockets]) {
      if (socket.process.host !== a || socket.remoteHost !== b) continue
      count += 1
      socket.breakOff()
    }
    return count
  }

  /** `b` forgets every connection with `a`, and `a` is not told, as when the reset itself is lost. */
  halfOpen(a: string, b: string): number {
    const forgotten = [...this.#sockets].filter(
      ({ process, remoteHost }) => process.host === a && remoteHost === b,
    )
    for (const socket of forgotten) socket.loseOtherEnd()
    return forgotten.length
  }

  isPowered(host: string): boolean {
    return !this.#unpowered.has(host)
  }

  /** The kernel closes what the process had open; without power nobody does. */
  processDied(process: SimProcess, how: 'killed' | 'power'): void {
    if (how === 'power') this.#unpowered.add(process.host)
    for (const [address, listening] of this.#listening) {
      if (listening.process === process) this.#listening.delete(address)
    }
    for (const socket of [...this.#sockets]) {
      if (socket.process === process) socket.orphan(how === 'power' ? 'lost' : 'reset')
    }
  }

  powerOn(host: string): void {
    this.#unpowered.delete(host)
  }

  #listen(
    process: SimProcess,
    address: Address,
    onConnection: (connection: Connection) => void,
  ): Promise<Listener> {
    if (!process.isAlive) return new Promise(() => {})
    if (this.#listening.has(address)) {
      return Promise.reject(new Error(`${address} is taken: another process listens there`))
    }
    const listening = { process, onConnection }
    this.#listening.set(address, listening)
    this.#hostOfAddress.set(address, process.host)
    return Promise.resolve({
      address,
      close: () => {
        if (this.#listening.get(address) === listening) this.#listening.delete(address)
        return Promise.resolve()
      },
    })
  }

  /** The handshake: there and back, each way over its own link. */
  #connect(process: SimProcess, address: Address, timeoutMs: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      let settled = false
      const settle = (outcome: () => void) => {
        if (settled) return
        settled = true
        timeout.run = null
        outcome()
      }
      const timeout = this.#scheduler.after(timeoutMs, process, () =>
        settle(() => reject(new Error(`${address} does not answer within ${timeoutMs} ms`))),
      )
      const host = this.#hostOfAddress.get(address)
      if (host === undefined || !process.isAlive) return
      const there = this.link(process.host, host)
      const back = this.link(host, process.host)
      this.#scheduler.after(there.transitMs(), null, () => {
        if (settled || there.isCut || !this.isPowered(host)) return
        const listening = this.#listening.get(address)
        this.#scheduler.after(back.transitMs(), process, () => {
          if (settled || back.isCut) return
          if (listening === undefined || !listening.process.isAlive) {
            settle(() => reject(new Error(`${address} refused the connection`)))
          } else settle(() => resolve(this.#open(process, address, listening)))
        })
      })
    })
  }

  #open(process: SimProcess, address: Address, listening: Listening): Connection {
    this.#ephemeralPort = 30_000 + ((this.#ephemeralPort + 1) % 30_000)
    const near = new SimSocket({
      scheduler: this.#scheduler,
      process,
      remote: address,
      remoteHost: listening.process.host,
      onGone: (socket) => this.#sockets.delete(socket),
      isPowered: (host) => this.isPowered(host),
      onWrite: (writer, bytes, to) => this.tap(writer, bytes, to),
    })
    const far = new SimSocket({
      scheduler: this.#scheduler,
      process: listening.process,
      remote: `${process.host}:${this.#ephemeralPort}`,
      remoteHost: process.host,
      onGone: (socket) => this.#sockets.delete(socket),
      isPowered: (host) => this.isPowered(host),
      onWrite: (writer, bytes, to) => this.tap(writer, bytes, to),
    })
    near.join(far, this.link(process.host, far.process.host))
    far.join(near, this.link(far.process.host, process.host))
    this.#sockets.add(near)
    this.#sockets.add(far)
    this.#scheduler.after(0, listening.process, () => {
      if (!far.isClosed) listening.onConnection(far)
    })
    return near
  }
}

interface SocketParts {
  readonly scheduler: SimScheduler
  readonly process: SimProcess
  readonly remote: Address
  readonly remoteHost: string
  onGone(socket: SimSocket): void
  isPowered(host: string): boolean
  onWrite(process: SimProcess, bytes: Uint8Array, toHost: string): void
}

/** One end of a connection. */
class SimSocket implements Connection {
  readonly remote: Address
  readonly process: SimProcess
  readonly remoteHost: string
  readonly #parts: SocketParts
  #link: SimLink | null = null
  #out: SimPipe<Uint8Array> | null = null
  #peer: SimSocket | null = null
  #state: 'open' | 'closed' | 'orphaned' = 'open'
  /** The other end is gone and nobody says so, whatever arrives there. */
  #isForgotten = false
  onData: (bytes: Uint8Array) => void = () => {}
  onClose: (error: Error | null) => void = () => {}

  constructor(parts: SocketParts) {
    this.#parts = parts
    this.process = parts.process
    this.remote = parts.remote
    this.remoteHost = parts.remoteHost
  }

  get isClosed(): boolean {
    return this.#state !== 'open'
  }

  join(peer: SimSocket, link: SimLink): void {
    this.#peer = peer
    this.#link = link
    this.#out = new SimPipe<Uint8Array>({
      scheduler: this.#parts.scheduler,
      link,
      end: {
        reader: () => (peer.isClosed ? null : peer.process),
        deliver: (bytes) => this.#arrived(bytes),
        ended: (wasReset) => peer.remoteEnded(wasReset),
      },
      split: (bytes) =>
        bytes.length < 2 ? null : cutInTwo(bytes, 1 + link.below(bytes.length - 1)),
      corrupt: (bytes) => flipBit(bytes, link.below(bytes.length * 8)),
    })
  }

  bufferedBytes(): number {
    return this.#out!.bufferedBytes
  }

  write(bytes: Uint8Array): void {
    if (this.#state !== 'open' || bytes.length === 0 || !this.process.takesStep()) return
    this.#parts.onWrite(this.process, bytes, this.remoteHost)
    this.#out!.send(bytes, bytes.length)
    const link = this.#link!
    if (!link.remembers || !isReplayable(bytes)) return
    const old = link.replay(bytes)
    if (old !== null) this.#out!.send(old, old.length)
  }

  /** What was not taken yet may be lost, as when a kernel answers unread bytes with a reset. */
  destroy(): void {
    this.#close(this.#link!.chance(0.5) ? 'closed' : 'reset', null)
  }

  /** A reset by something in between: both ends lose what is under way. */
  breakOff(): void {
    const peer = this.#peer!
    this.#close('reset', new Error('the connection was reset'))
    peer.#close('reset', new Error('the connection was reset'))
  }

  hurry(): void {
    this.#out!.hurry()
  }

  loseOtherEnd(): void {
    if (this.#state !== 'open') return
    this.#isForgotten = true
    this.#peer!.#close('lost', new Error('the connection was forgotten'))
  }

  /** The process is gone without having closed anything. */
  orphan(how: 'reset' | 'lost'): void {
    if (this.#state !== 'open') return
    this.#state = 'orphaned'
    this.#parts.onGone(this)
    this.#out!.finish(how)
    this.#peer!.#out!.readerGone()
  }

  remoteEnded(wasReset: boolean): void {
    if (this.#state !== 'open') return
    this.#finish('closed')
    this.onClose(wasReset ? new Error('the peer reset the connection') : null)
  }

  #close(how: 'closed' | 'reset' | 'lost', error: Error | null): void {
    if (this.#state !== 'open' || !this.process.isAlive) return
    this.#finish(how)
    this.#parts.scheduler.after(0, this.process, () => this.onClose(error))
  }

  #finish(how: 'closed' | 'reset' | 'lost'): void {
    this.#state = 'closed'
    this.#parts.onGone(this)
    this.#out!.finish(how)
  }

  /** Bytes of ours reached the other host. */
  #arrived(bytes: Uint8Array): void {
    const peer = this.#peer!
    if (peer.#state === 'open') {
      peer.onData(bytes)
      return
    }
    if (this.#isForgotten) {
      this.#link!.swallowed += 1
      return
    }
    // Nobody has that connection any more: its kernel says so, if it runs.
    if (this.#state !== 'open' || !this.#parts.isPowered(this.remoteHost)) return
    this.#parts.scheduler.after(0.1, this.process, () => this.remoteEnded(true))
  }
}

/** One frame that is neither an introduction nor a sign of life: those belong to one connection. */
function isReplayable(bytes: Uint8Array): boolean {
  return bytes.length >= FRAME_HEADER_BYTES && bytes[8]! > PeerFrameKind.pong
}

function cutInTwo(bytes: Uint8Array, at: number): readonly [Uint8Array, Uint8Array] {
  return [bytes.subarray(0, at), bytes.subarray(at)]
}

function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Buffer.from(bytes)
  copy[bit >> 3]! ^= 1 << (bit & 7)
  return copy
}
