import { assert } from '../assert.ts'
import type { RaftId } from './types.ts'

/** One replica of the group as the log knows it. `name` is a label for people, never an identity. */
export interface Member {
  readonly id: RaftId
  readonly name: string
  /** Where its peers reach it, `host:port`. */
  readonly peerAddress: string
  /** Where clients reach it, `http://host:port`. */
  readonly clientUrl: string
}

/**
 * Who votes and who only listens. The whole configuration stands in its entry, so that a truncated
 * change is undone by looking at the entry before it (thesis §4.1: effective at append).
 * `outgoing` is empty outside joint consensus; quorum arithmetic honours it already.
 */
export interface Configuration {
  readonly voters: readonly Member[]
  readonly outgoing: readonly Member[]
  readonly learners: readonly Member[]
}

const FORMAT = 1

export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const { voters, outgoing, learners } = configuration
  return new TextEncoder().encode(JSON.stringify({ format: FORMAT, voters, outgoing, learners }))
}

/** Throws if the bytes are of another format: the replica stops rather than guesses (A9). */
export function decodeConfiguration(bytes: Uint8Array): Configuration {
  const value = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown> | null
  assert(typeof value === 'object' && value !== null, 'configuration is not an object')
  assert(
    value['format'] === FORMAT,
    `configuration entry has unknown format ${String(value['format'])}`,
  )
  return {
    voters: readMembers(value['voters']),
    outgoing: readMembers(value['outgoing']),
    learners: readMembers(value['learners']),
  }
}

export function findMember(configuration: Configuration, id: RaftId): Member | undefined {
  return allMembers(configuration).find((member) => member.id === id)
}

/** Voters, outgoing voters, learners, in that order; a voter of both halves comes twice. */
export function allMembers(configuration: Configuration): readonly Member[] {
  return [...configuration.voters, ...configuration.outgoing, ...configuration.learners]
}

/** Whether the replica's vote and acknowledgements count. */
export function isVoter(configuration: Configuration, id: RaftId): boolean {
  return [...configuration.voters, ...configuration.outgoing].some((member) => member.id === id)
}

/**
 * Why `next` cannot follow `current` in one step, or `null`. With at most one voter added or removed
 * every majority of the one meets every majority of the other (thesis §4.1).
 */
export function configurationFault(current: Configuration, next: Configuration): string | null {
  if (next.outgoing.length > 0 || current.outgoing.length > 0) {
    return 'joint configurations are not proposed'
  }
  if (next.voters.length === 0) return 'a group needs a voter'
  const ids = allMembers(next).map((member) => member.id)
  if (ids.some((id) => !/^[0-9a-f]{16}$/.test(id))) return 'a member id is not 16 hex digits'
  if (new Set(ids).size !== ids.length) return 'a replica appears twice'
  const before = new Set(current.voters.map((member) => member.id))
  const after = new Set(next.voters.map((member) => member.id))
  const changes =
    [...after].filter((id) => !before.has(id)).length +
    [...before].filter((id) => !after.has(id)).length
  return changes > 1 ? 'only one voter may be added or removed at a time' : null
}

function readMembers(value: unknown): Member[] {
  assert(Array.isArray(value), 'configuration has no member list')
  return value.map((member: Record<string, unknown> | null) => {
    assert(typeof member === 'object' && member !== null, 'configuration member is not an object')
    return {
      id: readString(member['id']),
      name: readString(member['name']),
      peerAddress: readString(member['peerAddress']),
      clientUrl: readString(member['clientUrl']),
    }
  })
}

function readString(value: unknown): string {
  assert(typeof value === 'string', 'configuration member lacks a field')
  return value
}
