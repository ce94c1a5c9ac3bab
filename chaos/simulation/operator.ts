import type { Configuration, MemberChange, MemberChangeRefusal } from '#cluster'
import { PropertyViolation } from '../checkers/raft/raft-checker.ts'
import type { ParleyNode } from '../../node/parley-node.ts'
import type { OlderNode } from './scenario.ts'
import type { SimNode } from './sim-node.ts'
import type { SimWorld } from './sim-world.ts'

interface Job {
  readonly op: 'add' | 'remove'
  readonly node: SimNode
  readonly onDone: () => void
  /** Raft ids that were a voter's before it began. */
  readonly used: ReadonlySet<string>
}

/** An operator looks after what was asked for this often. */
const LOOK_MS = 200
const UPGRADE_DRAIN_MS = 1_000
const FINALIZE_MS = 300
/** How often, meanwhile, he tries whether the newest setting can be used already. */
const NEWEST_MS = 1_000
/** Longer than any run: it changes nothing for anybody. */
const NEWEST_SETTING = { amendWithinMs: 3_660 * 86_400_000 }
/** How long he waits for an answer. */
const QUESTION_MS = 1_000
/** With fewer members the loss of one could not be survived. */
const FEWEST = 3

/**
 * Changes the members of a simulated cluster as its operators would: one takes in, one takes out, each
 * asks whoever leads, again and again until it is done. How many disks may be hurt meanwhile is reckoned as if
 * who is to go had gone and who is to come were not there (rule K10).
 */
export class Operator {
  readonly #world: SimWorld
  readonly #jobs: Job[] = []
  #isActive = false
  #isOver = false
  /** Raft ids that were ever a voter's: none may come back (rule K1). */
  readonly #used = new Set<string>()
  readonly done = { add: 0, remove: 0 }
  /** What he heard when he asked first, of any node, whether it may be done: verdicts and problems. */
  readonly answers: Record<string, number> = {}
  #isAsking = false
  #asked = 0
  #tried = 0
  /** What leaders refused, by code. */
  readonly refusals: Partial<Record<MemberChangeRefusal['code'], number>> = {}

  constructor(world: SimWorld) {
    this.#world = world
  }

  /** Nothing that was begun is still under way. */
  get isIdle(): boolean {
    return this.#jobs.length === 0
  }

  #isBusy(op: Job['op']): boolean {
    return this.#jobs.some((job) => job.op === op)
  }

  /** Takes a member out; says whether it began. */
  remove(node: SimNode, onDone: () => void): boolean {
    const { members } = this.#world
    const isSound = members.every((one) => !one.isHurt && one.retired === null)
    if (!isSound || members.length < FEWEST || node.standing !== 'member') return false
    if (this.#isBusy('remove')) return false
    node.standing = 'leaving'
    return this.#begin({ op: 'remove', node, onDone })
  }

  /** Starts a machine with an empty disk and has it taken in; says whether it began. */
  add(node: SimNode, onDone: () => void): boolean {
    if (node.standing !== 'spare' && node.standing !== 'removed') return false
    if (node.foundsAlone) return false
    if (this.#isBusy('add')) return false
    if (node.standing === 'removed') {
      node.powerCut()
      node.wipe()
    }
    node.standing = 'joining'
    node.start()
    return this.#begin({ op: 'add', node, onDone })
  }

  /** All that was broken works again: what is under way comes to its end, what is unsafe is dropped. */
  finish(): void {
    this.#isOver = true
  }

  /** Restarts one after the other with the newer version, and asks whoever leads to finalize, again and again. */
  upgrade(older: readonly OlderNode[]): void {
    const { scheduler, nodes } = this.#world
    for (const { name, untilMs } of older) {
      const node = nodes.find((one) => one.name === name)!
      scheduler.after(untilMs, null, () => {
        node.upgrade()
        if (!node.isOlder) return
        const start = () => scheduler.after(0, null, () => node.start())
        if (node.standing === 'member') node.drain(UPGRADE_DRAIN_MS, start)
        // The others do not wait for it, and once they are at the next level they refuse it.
        if (node.standing !== 'joining') return
        node.kill()
        start()
      })
    }
    const finalize = () => {
      for (const { parley } of nodes) {
        if (parley?.replica?.hasAuthority === true) parley.raiseLevel()
      }
      scheduler.after(FINALIZE_MS, null, finalize)
    }
    scheduler.after(FINALIZE_MS, null, finalize)
    scheduler.after(NEWEST_MS, null, () => this.#useNewest())
  }

  /** Of each node in turn, though some member may not know it yet: until it is taken. */
  #useNewest(): void {
    const { scheduler, clients, addresses } = this.#world
    if (this.#isOver) return
    const call = {
      ...{ method: 'POST', path: '/v1/cluster/settings', query: '' },
      body: JSON.stringify(NEWEST_SETTING),
    }
    const address = addresses[this.#tried++ % addresses.length]!
    clients.call('operator', address, call, (answer) => {
      if (answer?.status !== 200) scheduler.after(NEWEST_MS, null, () => this.#useNewest())
    })
  }

  #begin(job: Omit<Job, 'used'>): boolean {
    for (const { voters } of this.#world.nodes) for (const id of voters) this.#used.add(id)
    this.#jobs.push({ ...job, used: new Set(this.#used) })
    if (!this.#isActive) {
      this.#isActive = true
      this.#look()
    }
    return true
  }

  #look(): void {
    const leader = this.#world.nodes.find((node) => node.parley?.replica?.hasAuthority === true)
    const parley = leader?.parley ?? null
    for (const job of [...this.#jobs]) {
      this.#question(job)
      if (parley !== null && this.#advance(job, parley)) {
        this.#jobs.splice(this.#jobs.indexOf(job), 1)
      }
    }
    this.#isActive = this.#jobs.length > 0
    if (this.#isActive) this.#world.scheduler.after(LOOK_MS, null, () => this.#look())
  }

  /** Says whether there is nothing more to do about it. */
  #advance({ op, node, onDone, used }: Job, leader: ParleyNode): boolean {
    const replica = leader.replica!
    const { configuration } = replica.committedConfiguration
    if (op === 'add' && node.retired !== null) {
      // It gave its disk up before it was a member: it gets an empty one.
      node.hurt('emptied')
      node.wipe()
      node.start()
    }
    if (op === 'remove' ? !isThere(configuration, node) : isVoter(configuration, node)) {
      node.standing = op === 'remove' ? 'removed' : 'member'
      if (op === 'add') this.#judgeId(node, used)
      this.done[op] += 1
      onDone()
      return true
    }
    if (op === 'remove' && replica.configurationCommitted && this.#isOver) {
      // Still a member for certain: whether it may go now is asked once more, and for the last time.
      if (this.#ask(leader, { op, name: node.name }) === null) return false
      node.standing = 'member'
      return true
    }
    const { name, peerAddress, clientAddress } = node
    const member = { name, peerAddress, clientUrl: `http://${clientAddress}` }
    if (op === 'remove') this.#ask(leader, { op, name })
    else if (isThere(configuration, node) && !isLearner(configuration, node)) {
      this.#ask(leader, { op: 'replace', name })
    } else this.#ask(leader, { op, member })
    return false
  }

  /** Whom he asks next: each in turn that could answer; `null`: there is none. */
  get #anyNode(): ParleyNode | null {
    const able = this.#world.nodes.filter(({ parley }) => (parley?.replica ?? null) !== null)
    return able[this.#asked++ % Math.max(1, able.length)]?.parley ?? null
  }

  /** As the commands do: the node that is asked need not lead, and may die of something meanwhile. */
  #question({ op, node }: Job): void {
    const parley = this.#isAsking ? null : this.#anyNode
    if (parley === null) return
    this.#isAsking = true
    const { name, peerAddress: peer, clientAddress } = node
    const parameters = { action: op, node: name, peer, url: `http://${clientAddress}` }
    void parley
      .operate({ operation: 'members.preflight', parameters, waitMs: QUESTION_MS })
      .then((answer) => {
        const heard =
          'problem' in answer ? answer.problem.code : (answer.result as { verdict: string }).verdict
        this.answers[heard] = (this.answers[heard] ?? 0) + 1
      })
    // Of a node that died no answer comes: he asks another one.
    this.#world.scheduler.after(QUESTION_MS, null, () => (this.#isAsking = false))
  }

  #ask(leader: ParleyNode, change: MemberChange): MemberChangeRefusal | null {
    const refusal = leader.changeMembers(change)
    if (refusal !== null) {
      this.refusals[refusal.code] = (this.refusals[refusal.code] ?? 0) + 1
    }
    return refusal
  }

  #judgeId({ name, disk }: SimNode, used: ReadonlySet<string>): void {
    if (!used.has(disk.raftId)) return
    const message = `${name} votes under the id ${disk.raftId}, which was another disk's`
    this.#world.fail(new PropertyViolation('R20', message))
  }
}

function isThere({ voters, learners }: Configuration, { name }: SimNode): boolean {
  return [...voters, ...learners].some((member) => member.name === name)
}

const isVoter = ({ voters }: Configuration, node: SimNode): boolean => hasReplica(voters, node)
const isLearner = ({ learners }: Configuration, node: SimNode): boolean =>
  hasReplica(learners, node)

/** Under the id that its disk has now. */
function hasReplica(members: Configuration['voters'], { name, disk }: SimNode): boolean {
  return members.some((member) => member.name === name && member.id === disk.raftId)
}
