import { HistogramCell } from '#cluster'
import { MetricsRegistry } from '../../node/metrics/metrics-registry.ts'
import { CHECKERS, FEATURE_CHECKERS } from '../checkers/index.ts'
import type { History, Violation } from '../history/history.ts'
import { type Fault, FAULTS } from './drill.ts'

/** As `parley_chaos_verdict` gives them: 0, 1, 2. */
export const VERDICTS = ['running', 'passed', 'failed'] as const
export type Verdict = (typeof VERDICTS)[number]

const PROPERTIES = [...Object.keys(CHECKERS), ...Object.keys(FEATURE_CHECKERS)]
/** Seconds: an election is one or two of them, a start a few. */
const BOUNDS = [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 30]

/** What a drill tells of itself while it runs, for Prometheus; all label sets are there from the start. */
export class DrillMetrics {
  readonly registry = new MetricsRegistry()
  readonly #nodes: readonly string[]
  readonly #faults = new Map<Fault, number>(FAULTS.map((fault) => [fault, 0]))
  readonly #violations = new Map<string, number>(PROPERTIES.map((property) => [property, 0]))
  readonly #newLeader = new HistogramCell(BOUNDS)
  readonly #recovery = new HistogramCell(BOUNDS)
  #history: Pick<History, 'sends' | 'acknowledgedCount'> | null = null
  #broken: { faultsOf(node: string): readonly Fault[] } | null = null
  #verdict: Verdict = 'running'

  constructor(drill: string, nodes: readonly string[]) {
    this.#nodes = nodes
    const { registry } = this
    registry.collected('parley_chaos_drill_info', 'Always 1; which drill it is.', 'gauge', () => [
      { labels: { drill }, value: 1 },
    ])
    registry.gauge(
      'parley_chaos_verdict',
      'What became of the drill: 0 it runs, 1 everything acknowledged was kept once and in order, 2 it was not.',
      () => VERDICTS.indexOf(this.#verdict),
    )
    registry.collected(
      'parley_chaos_fault_active',
      '1 while the drill does that to the node.',
      'gauge',
      () =>
        this.#nodes.flatMap((node) =>
          FAULTS.map((fault) => ({
            labels: { fault, node },
            value: this.#broken?.faultsOf(node).includes(fault) === true ? 1 : 0,
          })),
        ),
    )
    registry.collected(
      'parley_chaos_faults_total',
      'How often the drill did that to a node.',
      'counter',
      () => [...this.#faults].map(([fault, value]) => ({ labels: { fault }, value })),
    )
    registry.histogram(
      'parley_chaos_new_leader_seconds',
      'Time from harm done to the leader until another node says that it leads.',
      this.#newLeader,
    )
    registry.histogram(
      'parley_chaos_recovery_seconds',
      'Time from harm done to the next message that anybody is told is sent.',
      this.#recovery,
    )
    registry.collected(
      'parley_chaos_messages_total',
      'Messages of the senders of the drill, each once however often it went out; and those that were answered as sent. In the end both are the same.',
      'counter',
      () => [
        { labels: { state: 'written' }, value: this.#history?.sends.length ?? 0 },
        { labels: { state: 'acknowledged' }, value: this.#history?.acknowledgedCount ?? 0 },
      ],
    )
    registry.collected(
      'parley_chaos_violations',
      'What the judges found broken in the end, by property of chaos/SPEC.md: P1 lost, P2 doubled, P5 out of order. Any is a bug.',
      'gauge',
      () => [...this.#violations].map(([property, value]) => ({ labels: { property }, value })),
    )
  }

  /** What is written and acknowledged is counted from here on. */
  follow(history: Pick<History, 'sends' | 'acknowledgedCount'>): void {
    this.#history = history
  }

  harmed(fault: Fault): void {
    this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1)
  }

  /** What is done to which node is asked there from here on. */
  watch(broken: { faultsOf(node: string): readonly Fault[] }): void {
    this.#broken = broken
  }

  newLeader(ms: number): void {
    this.#newLeader.observe(ms / 1_000)
  }

  recovered(ms: number): void {
    this.#recovery.observe(ms / 1_000)
  }

  judged(violations: readonly Violation[]): void {
    for (const { property } of violations) {
      this.#violations.set(property, (this.#violations.get(property) ?? 0) + 1)
    }
    this.#verdict = violations.length === 0 ? 'passed' : 'failed'
  }
}
