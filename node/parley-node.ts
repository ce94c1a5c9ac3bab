import type {
  Failpoints,
  Logger,
  MemberChange,
  MemberChangeRefusal,
  Replica,
  Timer,
} from '#cluster'
import type { Call } from './admin/cluster-calls.ts'
import type { ClusterView } from './admin/cluster-view.ts'
import type { Backups } from './backup/backups.ts'
import type { CallAnswer } from './admin/operation.ts'
import { StartError } from './data-directory.ts'
import type { ClientListener } from './gateway/client-listener.ts'
import { handLeadershipOn } from './hand-leadership-on.ts'
import type { LiveSettings } from './live-settings.ts'
import { type NodeData, openNodeData } from './node-data.ts'
import type { NodePorts, NodeSettings } from './node-settings.ts'
import { NodeWiring } from './node-wiring.ts'
import type { StateReader } from './state-machine/types.ts'

/** What a node that goes away waits for its last checkpoint. */
const CHECKPOINT_MS = 5_000
/** How long the clients of a removed node get to leave on their own. */
const REMOVED_DRAIN_MS = 5_000

/** One node of a cluster, whole: log, store, state, replica, gateway. Only its ports are outside. */
export class ParleyNode {
  readonly #settings: NodeSettings
  readonly #ports: NodePorts
  readonly #logger: Logger
  readonly #data: NodeData
  readonly #parts: NodeWiring
  /** For clients, and for operators if they have one of their own. */
  readonly #listeners: ClientListener[] = []
  #ending = false
  #strangerTo: string | null = null
  #ended = false
  #end!: (error: Error | null) => void
  /** Resolves once: `null` after `close`, else what made the node stop. */
  readonly ended = new Promise<Error | null>((resolve) => (this.#end = resolve))

  /**
   * Opens the directory, takes the ports, and resolves when peers and clients can connect; the
   * cluster may still be forming.
   *
   * @throws StartError, LogDamagedError and others whose message says what an operator does next
   */
  static async start(
    settings: NodeSettings,
    ports: NodePorts,
    logger: Logger,
    failpoints: Failpoints,
  ): Promise<ParleyNode> {
    if (!settings.initialMembers.some(({ name }) => name === settings.name)) {
      throw new StartError(`--initial-members must name this node, ${settings.name}`)
    }
    const onFailure = (error: Error) => node.#fail(error)
    const data = await openNodeData(settings, ports, { logger, failpoints, onFailure })
    const node: ParleyNode = new ParleyNode(settings, ports, logger, failpoints, data)
    try {
      await node.#listen()
    } catch (error) {
      await node.close()
      throw error
    }
    return node
  }

  private constructor(
    settings: NodeSettings,
    ports: NodePorts,
    logger: Logger,
    failpoints: Failpoints,
    data: NodeData,
  ) {
    this.#settings = settings
    this.#ports = ports
    this.#logger = logger
    this.#data = data
    this.#parts = new NodeWiring({
      settings,
      ports,
      logger,
      failpoints,
      data,
      life: {
        ending: () => this.#ending,
        sendingClientsAway: () => {
          if (this.#ending) this.#listeners[0]?.stopAccepting()
        },
        strangerTo: () => this.#strangerTo,
        stranger: (clusterId) => this.#stranger(clusterId),
        removed: () => this.#removed(),
        discardState: (cause) => this.#discardState(cause),
        fail: (error) => this.#fail(error),
      },
    })
  }

  /** This node's member of the group, `null` before there is one: for whoever watches from inside. */
  get replica(): Replica | null {
    return this.#parts.cluster.replica
  }

  /** The applied state, for the same. */
  get state(): StateReader {
    return this.#data.stateMachine.reader
  }

  /** Copies of all of it, for the same. */
  get backups(): Backups {
    return this.#parts.backup.backups
  }

  view(): ClusterView {
    return this.#parts.view()
  }

  /**
   * Begins what an operator asks of the members; `null` if nothing speaks against it. Only the leader
   * can, and what became of it shows in `view().members`.
   */
  changeMembers(change: MemberChange): MemberChangeRefusal | null {
    return this.#parts.cluster.changeMembers(change)
  }

  /** As leader: raises the feature level, if nothing speaks against it; else what does. */
  raiseLevel(): readonly string[] | null {
    return this.#parts.levels.raise()
  }

  /** What an operator asks of this node, over HTTP or from inside; whoever has to does it. Never rejects. */
  operate(call: Call): Promise<CallAnswer> {
    return this.#parts.calls.call(call)
  }

  /** Who may speak to it and how much, from now on; what is open or under way is not touched. */
  reconfigure(live: LiveSettings): void {
    if (!this.#ended) this.#parts.reconfigure(live)
  }

  /**
   * Is not ready any more, hands leadership on, sends clients elsewhere within `timeoutMs`, each after
   * its answers, then closes. Nothing acknowledged depends on it.
   */
  async drain(timeoutMs: number): Promise<void> {
    if (this.#ending || this.#ended) return
    this.#ending = true
    // One that an operator drained before took no clients since, but its port was open to him.
    if (this.#parts.drain.phase !== 'serving') this.#listeners[0]?.stopAccepting()
    await this.#parts.drain.begin(timeoutMs)
    if (this.#ended) return
    await this.#checkpoint()
    await this.close()
  }

  async close(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    this.#parts.stop()
    for (const listener of this.#listeners) await listener.close()
    await this.#parts.cluster.close()
    this.#parts.forwarder.close()
    this.#parts.waiters.close()
    await this.#data.stateMachine.close()
    await this.#data.stores.close()
    await this.#data.ballast.close()
    await this.#data.log.close()
    this.#end(null)
  }

  /** So that the next start has little to replay; without it what the log holds is enough. */
  async #checkpoint(): Promise<void> {
    let timer: Timer | null = null
    const tooLong = new Promise<void>((resolve) => {
      timer = this.#ports.clock.after(CHECKPOINT_MS, resolve)
    })
    await Promise.race([this.#data.stateMachine.checkpoint(), tooLong])
    timer!.cancel()
  }

  async #listen(): Promise<void> {
    const { clientNetwork } = this.#ports
    const { listen, adminListen } = this.#settings
    const { handlers, operatorHandlers } = this.#parts.gateway
    this.#listeners.push(await clientNetwork.listenForClients(listen, handlers))
    if (adminListen !== undefined) {
      this.#listeners.push(await clientNetwork.listenForClients(adminListen, operatorHandlers))
    }
    await this.#parts.diskGuard.start()
    await this.#parts.cluster.start()
  }

  #stranger(clusterId: string): void {
    if (this.#strangerTo === clusterId) return
    this.#strangerTo = clusterId
    if (this.#settings.join === true) {
      this.#logger.info('node.joining', { clusterId })
      return
    }
    this.#logger.error('node.stranger', {
      message: `cluster ${clusterId} exists and does not know this empty data directory. If ${this.#settings.name} lost its disk, run on another node: parley members replace ${this.#settings.name}`,
    })
  }

  /** Its clients go elsewhere; its directory is of no use to anybody any more. */
  #removed(): void {
    if (this.#ending || this.#ended) return
    this.#logger.warn('node.removed', {
      message: `${this.#settings.name} was removed from its cluster and ends; its data directory may be deleted`,
    })
    this.drain(REMOVED_DRAIN_MS).catch((error: Error) => this.#fail(error))
  }

  /**
   * Rule K5: this node's state is wrong, its log is not. It serves nobody any more, hands leadership
   * on and ends; the next start rebuilds the state from the log or from a peer.
   */
  #discardState(cause: Error): void {
    if (this.#ended || this.#ending) return
    this.#ending = true
    this.#logger.error('state.discarded', {
      error: cause,
      message: 'this node throws its state away and ends; started again it rebuilds it',
    })
    this.#parts.gateway.close()
    handLeadershipOn(this.#parts.cluster.replica)
    const discard = async () => {
      await this.#data.stateMachine.close()
      await this.#data.stores.discard()
    }
    discard().then(
      () => this.#fail(cause),
      (error: Error) => this.#fail(error),
    )
  }

  /** Stop rather than guess: no farewell that a damaged node could get wrong. */
  #fail(error: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#logger.error('node.failed', { error })
    this.#parts.cluster.replica?.stop()
    this.#parts.stop()
    this.#end(error)
  }
}
