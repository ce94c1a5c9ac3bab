import { allMembers, type Configuration } from '../raft/configuration.ts'
import type { InitialMember } from './formation.ts'
import { majorityAnswers, type MembershipView } from './reconcile.ts'

/** What an operator asks of the members; a learner that was taken in is promoted by itself. */
export type MemberChange =
  /** A node with an empty directory, under a name that no member has. */
  | { readonly op: 'add'; readonly member: InitialMember }
  /** The member lost its disk, or its machine: an empty directory answers under its name. */
  | { readonly op: 'replace'; readonly name: string }
  | { readonly op: 'remove'; readonly name: string }

/** Why the cluster does not do what an operator asks; nothing has changed. */
export interface MemberChangeRefusal {
  /** `notLeader`, `pending`: ask again, of the leader. `unsafe`: once more nodes are there. */
  readonly code: 'notLeader' | 'pending' | 'unsafe' | 'unknown' | 'taken' | 'tooMany'
  readonly message: string
}

const MAX_MEMBERS = 15

/** What speaks against a change now, or `null`; what is done already is not refused. */
export function objectionTo(
  view: MembershipView,
  change: MemberChange,
): MemberChangeRefusal | null {
  const { configuration } = view
  const members = allMembers(configuration)
  if (change.op === 'add') {
    const { name, peerAddress } = change.member
    if (members.some((one) => one.name === name && one.peerAddress !== peerAddress)) {
      const message = `${name} is a member at another address: remove it first, or choose another name`
      return { code: 'taken', message }
    }
    const isNew = members.every((one) => one.name !== name)
    if (isNew && members.length >= MAX_MEMBERS) {
      return { code: 'tooMany', message: `a cluster has ${MAX_MEMBERS} members at most` }
    }
    return null
  }
  const { name } = change
  if (change.op === 'replace') {
    if (members.some((one) => one.name === name)) return null
    return { code: 'unknown', message: `no member is called ${name}` }
  }
  const next = withoutMember(configuration, name)
  if (next.voters.length === 0) {
    return { code: 'unsafe', message: `${name} is the last voter: the cluster would be gone` }
  }
  if (next.voters.length < configuration.voters.length && !majorityAnswers(view, next)) {
    const message = `without ${name} too few of the others answer: the cluster would stand still`
    return { code: 'unsafe', message }
  }
  return null
}

/** Without the member of that name, and without who was to take its place. */
export function withoutMember(configuration: Configuration, name: string): Configuration {
  const { voters, learners } = configuration
  const stays = (member: { name: string }) => member.name !== name
  return { ...configuration, voters: voters.filter(stays), learners: learners.filter(stays) }
}
