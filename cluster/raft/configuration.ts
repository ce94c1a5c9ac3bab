import { AssertionError } from '../assert.ts'
import { array, hex, object, oneOf, readJson, type Shape, text } from '../json-shape.ts'
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

/** The newest configuration that a replica knows to be final, and up to which index it is. */
export interface CommittedConfiguration {
  readonly index: number
  readonly configuration: Configuration
}

const FORMAT = 1
const MAX_MEMBERS = 1_000

const MEMBERS = array(
  object<Member>({ id: hex(8), name: text(255), peerAddress: text(1024), clientUrl: text(2048) }),
  MAX_MEMBERS,
)

const MEMBER_LISTS = { voters: MEMBERS, outgoing: MEMBERS, learners: MEMBERS }

/** A configuration as it stands in JSON that says its own format elsewhere. */
export const configurationShape: Shape<Configuration> = object<Configuration>(MEMBER_LISTS)

const ENTRY = object<Configuration & { format: typeof FORMAT }>({
  format: oneOf(FORMAT),
  ...MEMBER_LISTS,
})

/** Fails on what could not be read again: it would stop every replica. */
export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const { voters, outgoing, learners } = configuration
  const bytes = new TextEncoder().encode(
    JSON.stringify({ format: FORMAT, voters, outgoing, learners }),
  )
  decodeConfiguration(bytes)
  return bytes
}

/**
 * Bytes that this version cannot read are a broken invariant where they were let in before: the
 * replica stops rather than guesses (rule A9). Who lets them in gives `errorOf`.
 */
export function decodeConfiguration(
  bytes: Uint8Array,
  errorOf: (message: string) => Error = (message) => new AssertionError(message),
): Configuration {
  const { voters, outgoing, learners } = readJson(bytes, ENTRY, (message) =>
    errorOf(`a configuration cannot be read: ${message}`),
  )
  return { voters, outgoing, learners }
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
