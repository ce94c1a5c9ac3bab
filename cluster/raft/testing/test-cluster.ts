import { assert } from '../../assert.ts'
import type { Message } from '../messages.ts'
import { configurationOf, idOf, numberOf, TestReplica, type TestOptions } from './test-replica.ts'

/**
 * Replicas and the messages between them, moved by hand: nothing happens unless it is asked for, and
 * everything that happens is in the order of the calls.
 */
export class TestCluster {
  readonly replicas = new Map<number, TestReplica>()
  /** Sent and not delivered, oldest first. */
  network: Message[] = []

  constructor(
    voters: readonly number[],
    options: TestOptions = {},
    others: { learners?: readonly number[]; outside?: readonly number[] } = {},
  ) {
    const learners = others.learners ?? []
    const configuration = configurationOf(voters, learners)
    for (const number of [...voters, ...learners, ...(others.outside ?? [])]) {
      this.replicas.set(number, new TestReplica(number, configuration, options))
    }
  }

  get(number: number): TestReplica {
    const replica = this.replicas.get(number)
    assert(replica !== undefined, `there is no replica ${number}`)
    return replica
  }

  numbers(): number[] {
    return [...this.replicas.keys()]
  }

  /** Steps the messages to a replica that `choose` picks, in order. */
  deliver(to: number, choose: (message: Message) => boolean = () => true): Message[] {
    const taken: Message[] = []
    this.network = this.network.filter((message) => {
      if (message.to !== idOf(to) || !choose(message)) return true
      taken.push(message)
      return false
    })
    for (const message of taken) this.get(to).raft.step(message)
    return taken
  }

  drop(choose: (message: Message) => boolean): Message[] {
    const dropped = this.network.filter(choose)
    this.network = this.network.filter((message) => !choose(message))
    return dropped
  }

  /** One round of everything for the given replicas, until nothing more happens among them. */
  stabilize(numbers: readonly number[] = this.numbers()): void {
    for (let round = 0; round < 1000; round++) {
      let busy = false
      for (const number of numbers) {
        const replica = this.get(number)
        if (replica.raft.hasReady()) {
          this.network.push(...replica.ready().messages)
          busy = true
        }
        if (replica.writing !== null) {
          this.network.push(...replica.persist())
          busy = true
        }
      }
      for (const number of numbers) {
        if (
          this.deliver(number, (message) => numbers.includes(numberOf(message.from))).length > 0
        ) {
          busy = true
        }
      }
      if (!busy) return
    }
    assert(false, 'the cluster does not come to rest')
  }

  tick(number: number, times = 1): void {
    for (let i = 0; i < times; i++) this.get(number).raft.tick()
  }

  /** Elects and settles; everything is committed and known to be when it returns. */
  elect(number: number): void {
    this.get(number).raft.campaign()
    this.stabilize()
    assert(this.get(number).raft.leader === idOf(number), `replica ${number} was not elected`)
  }

  propose(number: number, text: string): void {
    const result = this.get(number).raft.propose([Buffer.from(text)])
    assert(result.accepted, 'the proposal was refused')
  }
}
