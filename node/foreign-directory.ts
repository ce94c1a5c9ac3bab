import type { Clock, ForeignCaller, InitialMember, Logger, Timer } from '#cluster'

/** How often it is looked whether it is over. */
const LOOK_MS = 1_000

export interface ForeignDirectoryHost {
  readonly clock: Clock
  readonly logger: Logger
  readonly name: string
  /** As the operator of this node names them. */
  readonly initialMembers: readonly InitialMember[]
  /** Of the data directory; `null` before there is one. */
  clusterId(): string | null
  /** Nodes of other clusters that dial this one. */
  callers(): readonly ForeignCaller[]
  /** From now on, or no longer. */
  onChange(isForeign: boolean): void
}

/**
 * Whether this node has the data directory of another cluster than its fellows (rule K1). Peers refuse such
 * a node, but where its directory needs nobody else for a majority it would lead, and acknowledge to
 * clients what their cluster never has. What its operator said decides: a majority of the initial
 * members that are of another cluster are right, and this node serves nobody meanwhile.
 */
export class ForeignDirectory {
  readonly #host: ForeignDirectoryHost
  #reason: string | null = null
  #timer: Timer | null = null
  #closed = false

  constructor(host: ForeignDirectoryHost) {
    this.#host = host
  }

  /** What is wrong and what to do; `null`: nothing. */
  get reason(): string | null {
    return this.#reason
  }

  /** Somebody of another cluster dialled this node, or some time has passed. */
  look(): void {
    if (this.#closed) return
    const reason = this.#judge()
    const isChange = (reason === null) !== (this.#reason === null)
    this.#reason = reason
    if (isChange) this.#changed(reason)
    if (reason === null || this.#timer !== null) return
    this.#timer = this.#host.clock.after(LOOK_MS, () => {
      this.#timer = null
      this.look()
    })
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #judge(): string | null {
    const { name, initialMembers } = this.#host
    const mine = this.#host.clusterId()
    const isFellow = (other: string) =>
      other !== name && initialMembers.some((member) => member.name === other)
    const others = this.#host
      .callers()
      .filter((caller) => isFellow(caller.name) && caller.clusterId !== mine)
    const [first] = others
    if (mine === null || first === undefined || others.length <= initialMembers.length / 2)
      return null
    const names = others.map((one) => one.name).sort()
    return `${names.join(' and ')} are of cluster ${first.clusterId}, the data directory of ${name} is of ${mine}: start ${name} with its own, or stop ${names.join(' and ')} if ${mine} is to go on`
  }

  #changed(reason: string | null): void {
    const { logger } = this.#host
    if (reason === null) logger.info('node.foreign', { message: 'no more: it serves again' })
    else logger.error('node.foreign', { message: `it serves nobody: ${reason}` })
    this.#host.onChange(reason !== null)
  }
}
