import { faultsIn } from '../../bench/load/ledger.ts'
import type { Verdict } from '../../bench/load/load.ts'
import { describeMachine, type Machine } from '../../bench/load/machine.ts'
import type { Measured } from '../../bench/load/meter.ts'
import { counted } from '../counted.ts'
import type { FoundMax } from './find-max.ts'
import type { NodeFigures } from './node-figures.ts'

export const KINDS = ['send', 'deliver', 'sync'] as const
export type Kind = (typeof KINDS)[number]

export interface Settings {
  /** Per second; `null` in a closed loop. */
  readonly rate: number | null
  readonly inFlight: number | null
  readonly clients: number
  readonly conversations: number
  readonly bodyBytes: number
  /** Messages that wait for each user; `null` where none do. */
  readonly backlog: number | null
  readonly warmupMs: number
  readonly durationMs: number
}

/** What `parley bench --json` prints. */
export interface BenchReport {
  readonly schema: 1
  readonly bench: Kind
  /** With which the names of its users begin. */
  readonly users: string
  readonly startedAt: string
  readonly settings: Settings
  readonly endedEarly: boolean
  readonly measured: Measured
  /** The highest rate that was kept up, where one was looked for. */
  readonly max: FoundMax | null
  /** `null`: it could not be read back, and nothing is proven. */
  readonly verified: Verdict | null
  readonly nodes: NodeFigures
  readonly machine: Machine
}

export type BenchVerdict = 'verified' | 'broken' | 'unproven'

export function verdictOf({ verified, measured }: BenchReport): BenchVerdict {
  if (verified === null) return 'unproven'
  if (faultsIn(verified.stored) + verified.wrong > 0) return 'broken'
  return measured.count === 0 ? 'unproven' : 'verified'
}

const DONE: Readonly<Record<Kind, string>> = {
  send: 'acknowledged',
  deliver: 'delivered',
  sync: 'devices came back',
}

/** For people. */
export function benchText(report: BenchReport): string {
  const { bench, measured, max, nodes, machine } = report
  const { count, perSecond, p50Ms, p90Ms, p99Ms, p999Ms, maxMs, unknown } = measured
  const errors = Object.entries(measured.errors).map(([code, times]) => `${code} ${times}`)
  const early = report.endedEarly ? ' · ended early' : ''
  const lines = [
    `${verdictOf(report).toUpperCase()} · ${bench} · ${count} ${DONE[bench]} · ${perSecond}/s${early}`,
    '',
    ...(max === null ? [] : [`most      ${maxText(max)}`]),
    `latency   p50 ${p50Ms} ms · p90 ${p90Ms} ms · p99 ${p99Ms} ms · p99.9 ${p999Ms} ms · max ${maxMs} ms`,
    `errors    ${errors.join(', ') || 'none'} · outcome unknown ${unknown}`,
    `verified  ${verifiedText(report.verified)}`,
    `load      ${settingsText(report)}`,
    `begun     late by p99 ${measured.lateP99Ms} ms, which is in the latencies`,
    `nodes     ${nodesText(nodes)}`,
    `machine   ${describeMachine(machine)}`,
    `users     ${report.users}-*; what one of them wrote, parley user erase removes`,
  ]
  return lines.join('\n')
}

const maxText = ({ rate, p99LimitMs, steps }: FoundMax): string =>
  `${rate === null ? 'no rate was kept up' : `${rate}/s`} with p99 within ${p99LimitMs} ms, by ${counted(steps.length, 'step')}`

function verifiedText(verified: Verdict | null): string {
  if (verified === null) return 'nothing: it could not be read back'
  const { stored, wrong, firstWrong } = verified
  const { acknowledged, lost, doubled, disordered, strange } = stored
  const { unknownStored, unknownAbsent, removed } = stored
  const parts = [
    `${acknowledged} acknowledged`,
    `lost ${lost}`,
    `doubled ${doubled}`,
    `out of order ${disordered}`,
    `anything else ${strange + wrong}`,
    ...(unknownStored + unknownAbsent > 0
      ? [`of unknown outcome ${unknownStored} stored, ${unknownAbsent} not`]
      : []),
    ...(removed > 0 ? [`removed by retention ${removed}`] : []),
    ...(firstWrong === null ? [] : [firstWrong]),
  ]
  return parts.join(' · ')
}

function settingsText({ settings, nodes }: BenchReport): string {
  const { rate, inFlight, clients, conversations, bodyBytes, backlog } = settings
  const { warmupMs, durationMs } = settings
  return [
    rate === null ? `${inFlight} in flight` : `${rate}/s`,
    `${durationMs / 1_000} s after ${warmupMs / 1_000} s`,
    `${counted(clients, 'client')} on ${counted(nodes.addresses, 'node')}`,
    counted(conversations, 'conversation'),
    `${bodyBytes} B bodies`,
    ...(backlog === null ? [] : [`at least ${backlog} messages for each user`]),
  ].join(' · ')
}

function nodesText({ leaders, nodes, missing }: NodeFigures): string {
  const syncs = nodes.map(({ name, syncP99Ms }) =>
    syncP99Ms === null ? `${name} unknown` : `${name} ≤ ${syncP99Ms} ms`,
  )
  const led = leaders.length === 0 ? 'unknown' : leaders.join(', then ')
  const syncText = syncs.length === 0 ? 'unknown' : syncs.join(', ')
  const why = missing.length === 0 ? '' : ` (${missing[0]})`
  return `leader ${led} · fsync p99 ${syncText}${why}`
}
