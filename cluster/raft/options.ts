import { assert, assertSafeInteger } from '../assert.ts'
import type { Configuration } from './configuration.ts'
import type { HardState, LogReader, RaftId } from './types.ts'

/** What one replica of one group is started with. Times are in ticks, sizes in bytes of data. */
export interface RaftOptions {
  readonly id: RaftId
  /** Durable log; `lastIndex()` at construction is taken as durable. */
  readonly log: LogReader
  /** As last written. On a fresh log term 0, no vote, commit 0. */
  readonly hardState: HardState
  /** In force at the greater of `hardState.commit` and `log.firstIndex() - 1`. */
  readonly configuration: Configuration
  /**
   * What the state machine has durably. Below the log's start it means that the state was lost: the
   * replica then votes and appends, but neither campaigns nor applies before `stateInstalled` (K3).
   */
  readonly applied: number
  /** Uniform over 0 … 2^32-1; the only source of chance. */
  readonly random: () => number
  /** A follower campaigns after this many ticks without a leader, up to twice as many. @default 10 */
  readonly electionTicks?: number
  /** @default 1 */
  readonly heartbeatTicks?: number
  /** Append messages under way to one peer. @default 256 */
  readonly maxInflightMessages?: number
  /**
   * Bytes under way to one peer; one message may exceed it. What a peer that lags has room for is
   * read from disk in one turn, 2 ms per MiB in which nothing else happens. @default 8 MiB
   */
  readonly maxInflightBytes?: number
  /** Bytes of one append message; one entry may exceed it. @default 256 KiB */
  readonly maxAppendBytes?: number
  /** Proposed here and not yet handed out for applying: above it proposals are refused. @default 64 MiB */
  readonly maxUncommittedBytes?: number
  /** Handed out for applying and not yet applied; one entry may exceed it. @default 8 MiB */
  readonly maxCommittedBytes?: number
  /** Reads waiting for their index: above it reads are refused. @default 10000 */
  readonly maxPendingReads?: number
  /** Ask whether an election could be won before raising the term (thesis §9.6). @default true */
  readonly preVote?: boolean
  /**
   * A leader without a majority steps down, voters with a leader refuse others. Without it a removed
   * replica that was never told can disturb the group for ever. @default true
   */
  readonly checkQuorum?: boolean
}

const MIB = 1024 * 1024

/** Fills in the defaults and refuses what could not work. */
export function resolveOptions(options: RaftOptions): Required<RaftOptions> {
  const resolved: Required<RaftOptions> = {
    electionTicks: 10,
    heartbeatTicks: 1,
    maxInflightMessages: 256,
    maxInflightBytes: 8 * MIB,
    maxAppendBytes: MIB / 4,
    maxUncommittedBytes: 64 * MIB,
    maxCommittedBytes: 8 * MIB,
    maxPendingReads: 10_000,
    preVote: true,
    checkQuorum: true,
    ...options,
  }
  assert(/^[0-9a-f]{16}$/.test(resolved.id), `replica id must be 16 hex digits: ${resolved.id}`)
  for (const name of POSITIVE) {
    assertSafeInteger(resolved[name], name)
    assert(resolved[name] > 0, `${name} must be positive`)
  }
  assertSafeInteger(resolved.applied, 'applied')
  assert(
    resolved.electionTicks > resolved.heartbeatTicks,
    `electionTicks ${resolved.electionTicks} must exceed heartbeatTicks ${resolved.heartbeatTicks}`,
  )
  return resolved
}

const POSITIVE = [
  'electionTicks',
  'heartbeatTicks',
  'maxInflightMessages',
  'maxInflightBytes',
  'maxAppendBytes',
  'maxUncommittedBytes',
  'maxCommittedBytes',
  'maxPendingReads',
] as const
