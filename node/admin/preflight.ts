import type { ClusterMemberView, ClusterView } from './cluster-view.ts'

export const PREFLIGHT_ACTIONS = [
  ...(['stop', 'restart', 'drain', 'transfer', 'add', 'remove', 'replace'] as const),
] as const
export type PreflightAction = (typeof PREFLIGHT_ACTIONS)[number]

/** A voter that lacks more is of no help to a majority for a while. */
const FAR_BEHIND_ENTRIES = 10_000
/** With less than this free a node is near to taking no more writes. */
const LOW_DISK_SHARE = 0.05
const MAX_MEMBERS = 15
/** Members say something twice a second at least. */
const SILENT_MS = 2_000
/** Fewer voters survive no failure. */
const FEWEST_SAFE_VOTERS = 3

/** As far as it is looked at: a node of another version may say less. */
export type MemberReport = Partial<Pick<ClusterView, 'reasons' | 'disk'>>

/** What the leader knows when it is asked whether something may be done. */
export interface PreflightView {
  /** The leader's own. */
  readonly view: ClusterView
  /** A change of the members is not committed. */
  readonly isChanging: boolean
  /** Whom leadership is being handed to. */
  readonly transferTo: string | null
  /** Names under which empty directories ask to be taken in. */
  readonly strangers: readonly string[]
  /** What the members say of themselves, by name; who did not answer in time is not there. */
  readonly reports: ReadonlyMap<string, MemberReport>
}

export interface PreflightRequest {
  readonly action: PreflightAction
  /** `null`, of a transfer: whoever is nearest to having everything. */
  readonly node: string | null
  /** Of a node to add: where its peers and its clients reach it. */
  readonly peer?: string | null
  readonly url?: string | null
  /** Of a node to add: in whose place; of one to replace: by whom. */
  readonly instead?: string | null
}

export type PreflightLevel = 'note' | 'warn' | 'refuse'

export interface PreflightReason {
  readonly level: PreflightLevel
  readonly code: string
  readonly text: string
}

export interface Preflight {
  readonly action: PreflightAction
  readonly node: string | null
  readonly verdict: 'ok' | 'warn' | 'refuse'
  readonly reasons: readonly PreflightReason[]
  /** What to do, in order. */
  readonly next: readonly string[]
}

/**
 * Whether an operator may do that now, why not, and what to do instead. The one place that judges it,
 * from what the leader knows: pure, so that it can be asked by anybody and held to cases.
 */
export function preflight(state: PreflightView, request: PreflightRequest): Preflight {
  const judged = new Judgement(state, request)
  judged.judge()
  const { action, node } = request
  const has = (level: PreflightLevel) => judged.reasons.some((reason) => reason.level === level)
  const verdict = has('refuse') ? 'refuse' : has('warn') ? 'warn' : 'ok'
  return { action, node, verdict, reasons: judged.reasons, next: [...new Set(judged.next)] }
}

class Judgement {
  readonly reasons: PreflightReason[] = []
  readonly next: string[] = []
  readonly #state: PreflightView
  readonly #request: PreflightRequest

  constructor(state: PreflightView, request: PreflightRequest) {
    this.#state = state
    this.#request = request
  }

  judge(): void {
    const { action, node } = this.#request
    if (action === 'add') return this.#add()
    if (action === 'transfer' && node === null) return this.#transfer(null)
    // Who stands in for a voter bears its name.
    const member =
      this.#voters.find(({ name }) => name === node) ??
      this.#members.find(({ name }) => name === node)
    if (member === undefined) {
      this.#say('refuse', 'unknownMember', `no member is called ${node}`, 'parley members')
    } else if (action === 'transfer') this.#transfer(member)
    else if (action === 'remove') this.#remove(member)
    else if (action === 'replace') this.#replace(member)
    else this.#stop(member)
  }

  get #members(): readonly ClusterMemberView[] {
    return this.#state.view.members
  }

  get #voters(): readonly ClusterMemberView[] {
    return this.#members.filter(({ role }) => role === 'voter')
  }

  /** Is down for a while, or for good. */
  #stop(member: ClusterMemberView): void {
    const { name } = member
    if (member.role === 'learner') {
      this.#say('note', 'learner', `${name} does not vote: nothing depends on it`)
      return
    }
    if (this.#voters.length === 1) {
      this.#say(
        'refuse',
        'onlyVoter',
        `${name} is the only voter: without it nothing is accepted`,
        'parley members add',
      )
      return
    }
    this.#quorumOf(this.#others(member), this.#voters.length, name)
    this.#noteLeader(member)
    this.#underWay('warn', null)
    this.#disks(this.#others(member))
  }

  #transfer(member: ClusterMemberView | null): void {
    const { transferTo, view } = this.#state
    if (transferTo !== null && transferTo !== member?.name) {
      this.#say(
        'refuse',
        'transferUnderWay',
        `leadership is on its way to ${transferTo}`,
        'parley status',
      )
    }
    if (member === null) {
      if (!this.#voters.some((one) => one.state !== 'leader' && this.#trouble(one) === null)) {
        this.#say(
          'refuse',
          'nobodyCanLead',
          `no other voter could take over from ${view.leader}`,
          'parley status',
        )
      }
      return
    }
    if (member.role !== 'voter') {
      this.#say('refuse', 'notVoter', `${member.name} does not vote yet`, 'parley members')
    } else if (member.state === 'leader') {
      this.#say('note', 'leads', `${member.name} leads already`)
    } else {
      const trouble = this.#trouble(member)
      if (trouble !== null)
        this.#say('refuse', 'cannotLead', `${member.name} ${trouble}`, 'parley status')
    }
  }

  #remove(member: ClusterMemberView): void {
    this.#underWay('refuse', member.name)
    if (member.role === 'learner') {
      this.#say('note', 'learner', `${member.name} does not vote: nothing depends on it`)
      return
    }
    const others = this.#others(member)
    if (others.length === 0) {
      this.#say(
        'refuse',
        'onlyVoter',
        `${member.name} is the last voter: the cluster would be gone`,
      )
      return
    }
    this.#quorumOf(others, others.length, member.name)
    this.#otherTrouble(member)
    this.#tolerance(others.length)
    this.#noteLeader(member)
  }

  #replace(member: ClusterMemberView): void {
    const { name } = member
    const { instead = null } = this.#request
    this.#underWay('refuse', instead ?? name)
    const others = this.#others(member)
    if (member.role === 'voter') this.#quorumOf(others, others.length, name)
    this.#otherTrouble(member)
    if (instead !== null) {
      this.#noteLeader(member)
      return
    }
    const isThere = member.state !== 'unreachable' && !this.#state.strangers.includes(name)
    if (isThere && member.role === 'voter') {
      const text = `${name} answers, and has its data: nothing is lost that had to be replaced`
      this.#say('refuse', 'stillThere', text, `parley members replace ${name} --with NEW`)
    } else if (member.role === 'voter' && !this.#state.strangers.includes(name)) {
      const text = `no empty directory answers under the name ${name} yet`
      this.#say(
        'note',
        'notStarted',
        text,
        `start ${name} with an empty --data and its old options`,
      )
    }
  }

  #add(): void {
    const { node, peer, url, instead = null } = this.#request
    const known = this.#members.find(({ name }) => name === node)
    if (known !== undefined && (peer ?? known.peer) === known.peer) {
      this.#say('note', 'isMember', `${known.name} is a ${known.role} already`)
      return
    }
    if (known !== undefined) {
      this.#say(
        'refuse',
        'nameTaken',
        `${known.name} is a member at ${known.peer}: choose another name`,
      )
    }
    const sharing = this.#members.find(
      (one) => one.name !== node && (one.peer === peer || one.url === url),
    )
    if (sharing !== undefined) {
      this.#say(
        'refuse',
        'addressTaken',
        `${sharing.name} is reached at ${sharing.peer} and ${sharing.url}: give the new node its own`,
      )
    }
    if (this.#members.length >= MAX_MEMBERS) {
      this.#say('refuse', 'tooMany', `a cluster has ${MAX_MEMBERS} members at most`)
    }
    this.#underWay('refuse', node)
    this.#otherTrouble(this.#members.find(({ name }) => name === instead) ?? null)
    const after = this.#voters.length + (instead === null ? 1 : 0)
    if (after % 2 === 0) {
      this.#say('note', 'evenVoters', `${after} voters survive no more failures than ${after - 1}`)
    }
  }

  /** Whether those others still are a majority of so many. */
  #quorumOf(others: readonly ClusterMemberView[], voters: number, without: string): void {
    const majority = Math.floor(voters / 2) + 1
    const fit = others.filter((one) => this.#trouble(one) === null)
    const missing = others.flatMap((one) => {
      const trouble = this.#trouble(one)
      return trouble === null ? [] : [`${one.name} ${trouble}`]
    })
    if (fit.length < majority) {
      const why = missing.length === 0 ? '' : `: ${missing.join(', ')}`
      const text = `without ${without} ${fit.length} of the ${majority} voters needed would be left${why}`
      this.#say('refuse', 'quorumLost', text, 'parley doctor')
    } else if (fit.length === majority) {
      const text = `without ${without} no other voter may fail until it is back or replaced`
      this.#say(missing.length === 0 ? 'note' : 'warn', 'noneToSpare', text)
    }
  }

  /** Another voter that is down needs care first: the change would hide how near to the edge it is. */
  #otherTrouble(member: ClusterMemberView | null): void {
    for (const one of this.#voters) {
      if (one.name === member?.name || one.state !== 'unreachable') continue
      const text = `${one.name} does not answer: bring it back, replace it or remove it first`
      this.#say('refuse', 'memberDown', text, `parley members replace ${one.name}`)
    }
  }

  #tolerance(after: number): void {
    const mayFail = after - Math.floor(after / 2) - 1
    const before = this.#state.view.replication.mayFail
    if (after < FEWEST_SAFE_VOTERS) {
      this.#say('warn', 'fewVoters', `with ${after} voters the cluster survives no failure`)
    } else if (mayFail < before) {
      this.#say('note', 'fewerFailures', `of ${after} voters ${mayFail} may fail, now ${before}`)
    }
  }

  /** One change at a time; one that is about `name` itself goes on. */
  #underWay(level: 'warn' | 'refuse', name: string | null): void {
    const others = this.#members.filter((one) => one.role === 'learner' && one.name !== name)
    for (const { name: learner } of others) {
      const text = `${learner} is being taken in: wait until it votes, or remove it`
      this.#say(level, 'changeUnderWay', text, 'parley members --watch')
    }
    if (this.#state.isChanging && others.length === 0) {
      this.#say(
        level,
        'changeUnderWay',
        'a change of the members is not committed yet',
        'parley members',
      )
    }
  }

  #noteLeader({ name, state }: ClusterMemberView): void {
    if (state !== 'leader') return
    this.#say(
      'note',
      'leads',
      `${name} leads: it hands leadership on first, and writes wait for a moment`,
    )
  }

  #disks(members: readonly ClusterMemberView[]): void {
    for (const { name } of members) {
      const disk = this.#state.reports.get(name)?.disk ?? null
      if (disk === null || disk.freeBytes > disk.sizeBytes * LOW_DISK_SHARE) continue
      this.#say('warn', 'diskLow', `the disk of ${name} is nearly full`, 'parley doctor')
    }
  }

  #others(member: ClusterMemberView): ClusterMemberView[] {
    return this.#voters.filter(({ name }) => name !== member.name)
  }

  /** Why a voter is of no help now; `null`: it is. */
  #trouble({ name, state, progress, match, contactMs }: ClusterMemberView): string | null {
    if (state === 'unreachable') return 'does not answer'
    // A connection may stand for a while with nobody at the other end.
    if (contactMs !== null && contactMs > SILENT_MS) return 'is silent'
    const report = this.#state.reports.get(name)
    if (report?.reasons?.some((reason) => reason.startsWith('draining')) === true)
      return 'is draining'
    if (progress === 'snapshot') return 'is getting a snapshot'
    const lag = match === undefined ? 0 : this.#state.view.commit - match
    return lag > FAR_BEHIND_ENTRIES ? `lacks ${lag} entries` : null
  }

  #say(level: PreflightLevel, code: string, text: string, next?: string): void {
    this.reasons.push({ level, code, text })
    if (next !== undefined && level !== 'note') this.next.push(next)
    else if (next !== undefined) this.next.unshift(next)
  }
}
