import { ChatClient } from '../client.ts'
import type { ClientFailpoint } from '../failpoints.ts'
import type { ChatOptions } from '../options.ts'
import { encodeBody } from '../protocol/body-codec.ts'
import type { MessageRequest } from '../protocol/frames.ts'
import { DurableStore } from '../store/durable-store.ts'
import { CrashDatabase } from './crash-database.ts'
import type { FakeCluster } from './fake-cluster.ts'
import { Harness } from './harness.ts'
import { MortalPorts } from './mortal-ports.ts'
import { SeededRandom } from './virtual-clock.ts'

export interface Life {
  readonly chat: ChatClient
  /** As SIGKILL does: nothing more is done, and of what was being written some is kept. */
  readonly kill: () => void
}

/** A cluster, and alice's phone, which may die and come back with the store that it had. */
export class Restarts {
  readonly harness: Harness
  readonly cluster: FakeCluster
  readonly database: CrashDatabase
  #lives = 0

  constructor(seed = 1) {
    this.harness = new Harness(seed)
    this.cluster = this.harness.cluster
    this.database = new CrashDatabase(this.harness.clock, new SeededRandom(seed))
  }

  /** One life of the phone. `onHit` may kill it. */
  readonly live = async (
    more: Partial<ChatOptions> = {},
    onHit: (name: ClientFailpoint, kill: () => void) => void = () => {},
  ): Promise<Life> => {
    const options = this.harness.options('alice')
    const ports = new MortalPorts(
      { ...options.ports!, random: new SeededRandom(1000 + ++this.#lives) },
      { hit: (name) => onHit(name, kill) },
    )
    const kill = (): void => {
      ports.kill()
      this.database.crash()
    }
    const store = new DurableStore(this.database.open)
    const connecting = ChatClient.connect({
      ...options,
      ...{ ports, store, connectTimeoutMs: 0, ...more },
    })
    connecting.catch(() => {})
    await this.harness.clock.advance(30)
    return { chat: await connecting, kill }
  }

  /** The phone's place in its inbox is lost; what it received is not. */
  readonly forgetInbox = async (): Promise<void> => {
    const store = new DurableStore(this.database.open)
    const { session } = await store.open(this.harness.options('alice').device)
    const written = store.write({ session: { ...session, inbox: null } })
    await this.harness.clock.advance(10)
    await written
    await store.close()
  }

  /** How a message came to the nodes, each time. */
  sends(msgId: string): MessageRequest[] {
    return this.cluster.requests.flatMap(({ frame }) =>
      frame.t === 'msg:R' && frame.msgId === msgId ? [frame] : [],
    )
  }

  dropMessages(): void {
    this.cluster.fault = (frame) => (frame.t === 'msg:R' ? 'drop' : null)
  }

  /** Messages of somebody else. */
  post(count: number): void {
    for (let i = 0; i < count; i++) this.cluster.post('team', 'bob', encodeBody(i))
  }
}
