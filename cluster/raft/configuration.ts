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
  return new TextEncoder().encode(JSON.stringify({ format: FORMAT, ...configuration }))
}

/** Throws if the bytes are of another format: the replica stops rather than guesses (A9). */
export function decodeConfiguration(bytes: Uint8Array): Configuration {
  const value = JSON.parse(new TextDecoder().decode(bytes)) as Configuration & { format: number }
  assert(value.format === FORMAT, `configuration entry has unknown format ${value.format}`)
  return { voters: value.voters, outgoing: value.outgoing, learners: value.learners }
}

export function findMember(configuration: Configuration, id: RaftId): Member | undefined {
  return [...configuration.voters, ...configuration.outgoing, ...configuration.learners].find(
    (member) => member.id === id,
  )
}
