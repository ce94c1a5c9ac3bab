import { describe, expect, test } from 'vitest'
import { type Configuration, findMember, type Member } from '../raft/configuration.ts'
import type { PeerStatus } from '../raft/ready.ts'
import type { Replica } from '../replica.ts'
import { ManualClock } from '../testing/manual-clock.ts'
import type { PeerHello } from '../transport/peer-hello.ts'
import { wasRemovedBy } from './removal.ts'
import { Replacer } from './replacer.ts'

const member = (digit: string, name: string): Member => ({
  id: digit.repeat(16),
  name,
  peerAddress: `${name}:7501`,
  clientUrl: `http://${name}:7401`,
})
const [A, B, C, D] = [member('a', 'n1'), member('b', 'n2'), member('c', 'n3'), member('d', 'n4')]

/** A leader of some voters, all of whom answer but for `silent`, and what its replacer has to do with. */
function leading(voters: readonly Member[], silent: readonly Member[] = []) {
  const clock = new ManualClock()
  const strangers: PeerHello[] = []
  const invited: string[] = []
  const state = {
    configuration: { voters, outgoing: [], learners: [] } as Configuration,
    hasAuthority: true,
    configurationCommitted: true,
  }
  const replica = {
    ...{ raftId: A.id, status: () => ({ progress, commit: 9 }) },
    proposeConfiguration: (next: Configuration) => {
      state.configuration = next
      return { accepted: true, index: 10, term: 1 }
    },
  }
  const progress = voters.map(({ id }): PeerStatus => ({
    ...{ id, match: 9, state: 'replicate', next: 10, learner: false, inflight: 0 },
    active: silent.every((one) => one.id !== id),
  }))
  const replacer = new Replacer({
    clock,
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    log: { formation: {} } as never,
    autoReplace: false,
    replica: () => Object.setPrototypeOf({ ...state }, replica) as Replica,
    strangers: () => strangers,
    sendJson: (to) => invited.push(to) > 0,
    onWanted: () => {},
    snapshotBytesTo: () => 0,
  })
  replacer.start()
  const knock = ({ id: raftId, name }: Member) =>
    strangers.push({ protocol: { min: 1, max: 1 }, clusterId: '', epoch: '', raftId, name })
  const names = () => ({
    voters: state.configuration.voters.map(({ name }) => name),
    learners: state.configuration.learners.map(({ name }) => name),
  })
  return { clock, replacer, state, knock, invited, names }
}

describe('what an operator asks of the members', () => {
  test('[MR6] a new member is dialled, and taken in as a learner once it answers', () => {
    const { clock, replacer, knock, invited, names } = leading([A, B, C])
    const { id: _, ...newcomer } = D
    expect(replacer.ask({ op: 'add', member: newcomer })).toBeNull()
    expect(replacer.wanted).toEqual([newcomer])
    clock.advance(2_000)
    expect(names()).toEqual({ voters: ['n1', 'n2', 'n3'], learners: [] })
    knock(D)
    clock.advance(2_000)
    expect(names()).toEqual({ voters: ['n1', 'n2', 'n3'], learners: ['n4'] })
    expect(invited).toContain(D.id)
    expect(replacer.wanted).toEqual([])
    expect(replacer.ask({ op: 'add', member: newcomer })).toBeNull()
  })

  test('[MR6] nobody answers for a minute: the change is forgotten', () => {
    const { clock, replacer, knock, names } = leading([A, B, C])
    replacer.ask({ op: 'add', member: D })
    clock.advance(61_000)
    expect(replacer.wanted).toEqual([])
    knock(D)
    clock.advance(2_000)
    expect(names().learners).toEqual([])
  })

  test('[MR6] a member that lost its disk is replaced only if an operator says so', () => {
    const { clock, replacer, knock, names } = leading([A, B, C])
    knock({ ...D, name: 'n3' })
    clock.advance(2_000)
    expect(names().learners).toEqual([])
    expect(replacer.ask({ op: 'replace', name: 'n3' })).toBeNull()
    clock.advance(2_000)
    expect(names().learners).toEqual(['n3'])
  })

  test('[MR6] what is not safe, or stands for something else, is refused and changes nothing', () => {
    const codeOf = (one: ReturnType<typeof leading>, name: string) =>
      one.replacer.ask({ op: 'remove', name })?.code
    const alone = leading([A])
    expect(codeOf(alone, 'n1')).toBe('unsafe')
    const halved = leading([A, B, C], [B])
    expect(codeOf(halved, 'n3')).toBe('unsafe')
    expect(halved.names().voters).toEqual(['n1', 'n2', 'n3'])
    expect(codeOf(halved, 'n2')).toBeUndefined()
    expect(halved.names().voters).toEqual(['n1', 'n3'])
    expect(codeOf(halved, 'n2')).toBeUndefined()
    const { replacer, state } = leading([A, B, C])
    const elsewhere = { ...B, peerAddress: 'other:1' }
    expect(replacer.ask({ op: 'add', member: elsewhere })?.code).toBe('taken')
    expect(replacer.ask({ op: 'replace', name: 'n9' })?.code).toBe('unknown')
    state.hasAuthority = false
    expect(replacer.ask({ op: 'remove', name: 'n3' })?.code).toBe('notLeader')
  })
})

describe('who was removed', () => {
  const of = (...voters: Member[]): Configuration => ({ voters, outgoing: [], learners: [] })

  test('[MR7] believes it only of an index beyond one at which its own log has it', () => {
    const known = { index: 10, configuration: of(A, B, C) }
    expect(findMember(known.configuration, C.id)).toBeDefined()
    expect(wasRemovedBy(11, C.id, known)).toBe(true)
    expect(wasRemovedBy(10, C.id, known)).toBe(false)
    expect(wasRemovedBy(3, C.id, known)).toBe(false)
    // A newcomer that the peer, or its own log, does not know yet.
    expect(wasRemovedBy(11, D.id, known)).toBe(false)
  })
})
