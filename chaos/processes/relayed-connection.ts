import { connect, type Socket } from 'node:net'
import {
  MAX_HELLO_BYTES,
  PeerFrameKind,
  PeerFrameReader,
} from '../../cluster/transport/peer-frame.ts'
import { decodeHello } from '../../cluster/transport/peer-hello.ts'
import { OneWay } from './one-way.ts'

/** Whether what `from` says to `to` is held up. */
export type IsCut = (from: string, to: string) => boolean

/** Whoever dials says who it is within a few milliseconds. */
const INTRODUCTION_MS = 10_000
/** Under this name goes who says something else: no cut concerns it. */
const STRANGER = ''

/**
 * One connection on its way through a relay. All nodes dial the same address, so who dials is read
 * from its introduction, which passes like everything else. Across a cut nothing is dialled, as no
 * connection comes about: the dialler hears nothing until it gives up or the cut is healed.
 */
export class RelayedConnection {
  readonly #near: Socket
  readonly #target: { readonly name: string; readonly host: string; readonly port: number }
  readonly #isCut: IsCut
  readonly #onEnd: () => void
  #from: string | null = null
  #far: Socket | null = null
  #there: OneWay | null = null
  #back: OneWay | null = null
  readonly #giveUp = (): void => void this.#near.destroy()

  readonly #closed = (): void => {
    if (this.#near.closed && (this.#far?.closed ?? true)) this.#onEnd()
  }

  /** `onEnd` is called when neither end of it is left. */
  constructor(
    near: Socket,
    target: { readonly name: string; readonly host: string; readonly port: number },
    isCut: IsCut,
    onEnd: () => void,
  ) {
    this.#near = near
    this.#target = target
    this.#isCut = isCut
    this.#onEnd = onEnd
    near.once('close', this.#closed)
    near.on('error', () => undefined)
    near.setTimeout(INTRODUCTION_MS, () => near.destroy())
    this.#readIntroduction()
  }

  /** A cut was made or healed. */
  update(): void {
    if (this.#from === null) return
    const { name } = this.#target
    const [there, back] = [this.#isCut(this.#from, name), this.#isCut(name, this.#from)]
    if (this.#far === null && !there && !back) this.#near.destroy()
    this.#there?.hold(there)
    this.#back?.hold(back)
  }

  end(): void {
    this.#near.destroy()
    this.#far?.destroy()
  }

  #readIntroduction(): void {
    const near = this.#near
    const read: Buffer[] = []
    const reader = new PeerFrameReader(
      (kind, body) => {
        this.#from ??= kind === PeerFrameKind.hello ? decodeHello(body).name : STRANGER
      },
      () => MAX_HELLO_BYTES,
    )
    const onData = (bytes: Buffer) => {
      read.push(bytes)
      try {
        reader.push(bytes)
      } catch {
        this.#from ??= STRANGER
      }
      if (this.#from === null) return
      near.off('data', onData)
      near.setTimeout(0)
      const { name } = this.#target
      // Nobody will ever hear it; it is read on all the same, to see when the dialler gives up.
      if (this.#isCut(this.#from, name) || this.#isCut(name, this.#from)) near.resume()
      else this.#dial(Buffer.concat(read))
    }
    near.on('data', onData)
    near.once('end', this.#giveUp)
  }

  #dial(read: Buffer): void {
    const near = this.#near
    near.off('end', this.#giveUp)
    near.pause()
    near.unshift(read)
    const far = connect({ ...this.#target, noDelay: true, allowHalfOpen: true })
    this.#far = far
    const forgetFar = () => far.destroy()
    near.once('close', forgetFar)
    far.on('error', () => undefined)
    far.once('close', this.#closed)
    // Nobody listens there.
    far.once('close', this.#giveUp)
    far.once('connect', () => {
      far.off('close', this.#giveUp)
      near.off('close', forgetFar)
      this.#there = new OneWay(near, far)
      this.#back = new OneWay(far, near)
      this.update()
    })
  }
}
