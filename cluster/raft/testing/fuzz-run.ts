import { assert } from '../../assert.ts'
import { allMembers, isVoter, type Configuration } from '../configuration.ts'
import type { Message } from '../messages.ts'
import { Role } from '../types.ts'
import { SeededRandom } from '../../testing/seeded-random.ts'
import { SafetyChecker } from './safety-checker.ts'
import { configurationOf, member, numberOf, TestReplica } from './test-replica.ts'

interface Faults {
  readonly drop: number
  readonly duplicate: number
  readonly reorder: number
  readonly crash: number
  readonly partition: number
  readonly compact: number
  readonly membership: number
  readonly transfer: number
  readonly slowDisk: number
}

/**
 * A few replicas, a network that loses, repeats and reorders, disks that take their time, and
 * crashes that lose what was not written, all from one seed. Each run turns on its own mixture of
 * faults; the checker looks on after every event.
 */
export class FuzzRun {
  readonly #random: SeededRandom
  readonly #faults: Faults
  readonly #checker = new SafetyChecker()
  readonly #all: TestReplica[] = []
  readonly #down = new Set<TestReplica>()
  /** Whether the write under way at a crash reached the disk. */
  readonly #keepWrite = new Map<TestReplica, boolean>()
  readonly #reads = new Map<number, { replica: TestReplica; floor: number }>()
  #network: Message[] = []
  #cut = new Set<number>()
  #proposals = 0
  #nextRead = 1
  readonly stats = { reads: 0, crashes: 0, snapshots: 0, changes: 0 }

  constructor(seed: number) {
    const random = new SeededRandom(seed)
    this.#random = random
    const sometimes = (most: number) =>
      random.chance(0.5) ? most * (random.below(1000) / 1000) : 0
    this.#faults = {
      drop: sometimes(0.3),
      duplicate: sometimes(0.2),
      reorder: sometimes(0.5),
      crash: sometimes(0.02),
      partition: sometimes(0.02),
      compact: sometimes(0.05),
      membership: sometimes(0.05),
      transfer: sometimes(0.02),
      slowDisk: sometimes(0.8),
    }
    const size = 3 + random.below(3)
    const voters = Array.from({ length: size }, (_, i) => i + 1)
    const configuration = configurationOf(voters)
    const spare = this.#faults.membership > 0 ? 2 : 0
    const options = {
      electionTicks: 3 + random.below(4),
      preVote: !random.chance(0.2),
      // Without it a replica that was removed and never told disturbs the others for ever.
      checkQuorum: !random.chance(0.2) || spare > 0,
      maxAppendBytes: random.pick([1, 30, 1000]),
      maxInflightMessages: random.pick([1, 2, 16]),
      maxCommittedBytes: random.pick([1, 100]),
      maxUncommittedBytes: random.pick([20, 1000]),
      random: () => random.uint32(),
    }
    for (let number = 1; number <= size + spare; number++) {
      this.#all.push(new TestReplica(number, configuration, options))
    }
  }

  get committed(): number {
    return this.#checker.committed
  }

  get elections(): number {
    return this.#checker.elections
  }

  run(events: number): void {
    for (let i = 0; i < events; i++) {
      this.#event()
      this.#look()
    }
  }

  /** After the last fault everything must come to agree, with one write and then without any. */
  settle(): void {
    this.#cut.clear()
    for (const replica of this.#all) if (this.#down.has(replica)) this.#restart(replica)
    this.#rounds(() => this.#leader() !== undefined && this.#caughtUp())
    const before = this.#checker.committed
    this.#rounds(() => {
      if (this.#checker.committed === before) this.#propose()
      return this.#checker.committed > before && this.#caughtUp()
    })
  }

  #rounds(done: () => boolean): void {
    for (let tick = 0; tick < 600; tick++) {
      for (const replica of this.#all) replica.raft.tick()
      for (let hop = 0; hop < 4; hop++) this.#round()
      if (done()) return
    }
    assert(false, 'the replicas did not come to agree')
  }

  /** What everybody has to do, then every message. */
  #round(): void {
    for (const replica of this.#all) {
      for (let i = 0; i < 4; i++) {
        this.#turn(replica)
        this.#look()
        this.#persist(replica)
        this.#look()
      }
    }
    const messages = this.#network
    this.#network = []
    for (const message of messages) {
      this.#step(message)
      this.#look()
    }
  }

  #look(): void {
    this.#checker.check(this.#alive(), this.#all)
  }

  #leader(): TestReplica | undefined {
    const leaders = this.#all.filter(({ raft }) => raft.role === Role.leader)
    return leaders.toSorted((a, b) => b.raft.term - a.raft.term)[0]
  }

  #caughtUp(): boolean {
    const leader = this.#leader()
    if (leader === undefined) return false
    const { lastIndex } = leader.raft
    const members = allMembers(leader.raft.configuration).map(({ id }) => id)
    return this.#all
      .filter(({ id }) => members.includes(id))
      .every(({ raft }) => raft.status().applied === lastIndex)
  }

  #event(): void {
    const random = this.#random
    const replica = random.pick(this.#all)
    if (this.#down.has(replica)) {
      if (random.chance(0.05)) this.#restart(replica)
      return
    }
    this.#misfortune(replica)
    if (this.#down.has(replica)) return
    const dice = random.below(100)
    if (dice < 38) this.#deliver()
    else if (dice < 56) this.#turn(replica)
    else if (dice < 72) {
      if (!random.chance(this.#faults.slowDisk)) this.#persist(replica)
    } else if (dice < 88) replica.raft.tick()
    else if (dice < 95) this.#propose()
    else this.#read(replica)
  }

  #misfortune(replica: TestReplica): void {
    const random = this.#random
    const faults = this.#faults
    if (random.chance(faults.crash)) this.#crash(replica)
    else if (random.chance(faults.partition)) {
      const some = this.#all.map((_, at) => at + 1).filter(() => random.chance(0.4))
      this.#cut = random.chance(0.3) ? new Set() : new Set(some)
    } else if (random.chance(faults.compact)) this.#compact(replica)
    else if (random.chance(faults.membership)) this.#changeMembers()
    else if (random.chance(faults.transfer)) {
      replica.raft.transferLeadership(random.pick(this.#all).id)
    } else if (random.chance(0.005)) this.#disconnect(replica)
  }

  #disconnect(replica: TestReplica): void {
    const peer = this.#random.pick(this.#all)
    const between = ({ from, to }: Message) =>
      (from === replica.id && to === peer.id) || (from === peer.id && to === replica.id)
    for (const message of this.#network.filter(between)) this.#lost(message)
    this.#network = this.#network.filter((message) => !between(message))
    for (const [one, other] of [
      [replica, peer],
      [peer, replica],
    ] as const) {
      if (this.#down.has(one)) continue
      one.raft.reportUnreachable(other.id)
      if (one.raft.leader === other.id) one.raft.leaderConnectionClosed()
      one.raft.reportConnected(other.id)
    }
  }

  #alive(): TestReplica[] {
    return this.#all.filter((replica) => !this.#down.has(replica))
  }

  #crash(replica: TestReplica): void {
    this.#down.add(replica)
    this.stats.crashes++
    // What it had written and not yet sent never leaves.
    this.#keepWrite.set(replica, this.#random.chance(0.5))
  }

  #restart(replica: TestReplica): void {
    this.#down.delete(replica)
    replica.restart({ keepWrite: this.#keepWrite.get(replica) ?? false })
    this.#checker.restarted(replica)
    for (const [id, read] of this.#reads) if (read.replica === replica) this.#reads.delete(id)
  }

  #turn(replica: TestReplica): void {
    if (this.#down.has(replica) || !replica.raft.hasReady()) return
    // A write that is still under way must not be handed out again; the core sees to that.
    const ready = replica.ready()
    assert(ready.lostLog === null, 'a replica believes that its disk forgot')
    for (const message of ready.messages) this.#send(replica, message)
    for (const { readId, index } of ready.reads) this.#readAnswered(readId, index)
  }

  #persist(replica: TestReplica): void {
    if (this.#down.has(replica)) return
    if ((replica.writing?.snapshot ?? null) !== null) this.stats.snapshots++
    for (const message of replica.persist()) this.#send(replica, message)
  }

  #send(sender: TestReplica, message: Message): void {
    this.#checker.leaving(sender, message)
    if (message.type === 'snapshot' && this.#random.chance(0.7)) {
      const snapshot = sender.snapshotHere()
      if (snapshot.index >= message.snapshot.index) {
        this.#network.push({ ...message, snapshot })
        return
      }
    }
    this.#network.push(message)
  }

  #deliver(): void {
    if (this.#network.length === 0) return
    const random = this.#random
    const at = random.chance(this.#faults.reorder) ? random.below(this.#network.length) : 0
    const message = this.#network[at]!
    if (!random.chance(this.#faults.duplicate) || message.type === 'snapshot') {
      this.#network.splice(at, 1)
    }
    if (random.chance(this.#faults.drop)) this.#lost(message)
    else this.#step(message)
  }

  #step(message: Message): void {
    const to = this.#all[numberOf(message.to) - 1]!
    const apart = this.#cut.has(numberOf(message.from)) !== this.#cut.has(numberOf(message.to))
    if (this.#down.has(to) || apart) {
      this.#lost(message)
      return
    }
    to.raft.step(message)
    if (message.type === 'snapshot') this.#reportSnapshot(message, true)
  }

  #lost(message: Message): void {
    if (message.type === 'snapshot') this.#reportSnapshot(message, false)
  }

  #reportSnapshot(message: Message, ok: boolean): void {
    const from = this.#all[numberOf(message.from) - 1]!
    if (!this.#down.has(from)) from.raft.reportSnapshot(message.to, ok)
  }

  #propose(): void {
    const leader = this.#random.pick(this.#alive().filter(({ raft }) => raft.role === Role.leader))
    if (leader === undefined) return
    const data = [Buffer.from(`p${++this.#proposals}`)]
    if (this.#random.chance(0.2)) data.push(Buffer.from(`q${this.#proposals}`))
    leader.raft.propose(data)
  }

  #changeMembers(): void {
    const random = this.#random
    const leader = this.#alive().find(({ raft }) => raft.role === Role.leader)
    if (leader === undefined) return
    const { voters, learners } = leader.raft.configuration
    const one = member(1 + random.below(this.#all.length))
    const without = (members: Configuration['voters']) => members.filter(({ id }) => id !== one.id)
    const votes = isVoter(leader.raft.configuration, one.id)
    const next: Configuration = {
      voters: votes ? without(voters) : [...voters, one],
      outgoing: [],
      learners: without(learners),
    }
    const learner = { ...next, voters: without(voters), learners: [...without(learners), one] }
    const result = leader.raft.proposeConfiguration(random.chance(0.5) ? next : learner)
    if (result.accepted) this.stats.changes++
  }

  #compact(replica: TestReplica): void {
    const { applied } = replica.raft.status()
    if (replica.writing !== null || applied <= replica.log.snapshot.index) return
    const index = applied - this.#random.below(Math.min(4, applied - replica.log.snapshot.index))
    replica.checkpoint = Math.max(replica.checkpoint, index)
    replica.log.compact(index)
  }

  #read(replica: TestReplica): void {
    const readId = this.#nextRead++
    this.#reads.set(readId, { replica, floor: this.#checker.committed })
    replica.raft.readIndex(readId)
  }

  /** Linearizable: never below what was committed before the read began. */
  #readAnswered(readId: number, index: number): void {
    const read = this.#reads.get(readId)
    assert(read !== undefined, `read ${readId} was answered twice or never asked`)
    this.#reads.delete(readId)
    if (index === 0) return
    this.stats.reads++
    assert(
      index >= read.floor,
      `read ${readId} at ${index} misses what was committed to ${read.floor}`,
    )
  }
}
