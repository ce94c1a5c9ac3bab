import type { Scenario } from '../simulation/scenario.ts'
import type { RunReport } from './run-report.ts'

export interface ShrinkOptions {
  readonly scenario: Scenario
  /** The violation that must stay: any other would be another bug. */
  readonly property: string
  readonly run: (scenario: Scenario) => Promise<Pick<RunReport, 'violation' | 'brokenForMs'>>
  /** Asked before each run. What is smallest by then is the result. */
  readonly isOver: () => boolean
  /** After each step that made it smaller. */
  readonly onSmaller?: (scenario: Scenario, runs: number) => void
}

export interface Shrunk {
  /** Shows the same violation; `null` if the one given does not. */
  readonly scenario: Scenario | null
  readonly runs: number
  /** Nothing more can be taken out; `false` if it was over before. */
  readonly isSmallest: boolean
}

/**
 * Takes out of a scenario all that its violation does not need (delta debugging, Zeller and
 * Hildebrandt 2002): faults, then operations, clients, conversations, time and nodes, again and again
 * until nothing can go. Each step is kept only if a run of the rest shows the same violation.
 */
export async function shrink(options: ShrinkOptions): Promise<Shrunk> {
  const shrinking = new Shrinking(options)
  const reproduced = await shrinking.reproduce()
  while (reproduced && !options.isOver() && (await shrinking.pass()));
  return {
    scenario: reproduced ? shrinking.smallest : null,
    runs: shrinking.runs,
    isSmallest: reproduced && !options.isOver(),
  }
}

const NODE_COUNTS = [1, 2, 3, 5]

class Shrinking {
  readonly #options: ShrinkOptions
  smallest: Scenario
  runs = 0

  constructor(options: ShrinkOptions) {
    this.#options = options
    this.smallest = options.scenario
  }

  reproduce(): Promise<boolean> {
    return this.#try({}, false)
  }

  /** Says whether it made anything smaller. */
  async pass(): Promise<boolean> {
    const before = this.smallest
    await this.#minimize(before.forming ?? [], (forming) => ({ forming }))
    await this.#minimize(this.smallest.faults, (faults) => ({ faults }))
    await this.#minimize(this.smallest.operations, (operations) => ({ operations }))
    await this.#minimize(this.smallest.devices, (devices) => {
      const names = new Set(devices.map(({ device }) => device))
      const operations = this.smallest.operations.filter(({ device }) => names.has(device))
      return devices.length === 0 ? null : { devices, operations }
    })
    await this.#fewerConversations()
    while (await this.#faster());
    for (const nodes of NODE_COUNTS) {
      if (nodes < this.smallest.nodes && (await this.#try({ nodes }))) break
    }
    return this.smallest !== before
  }

  /** Leaves out ever smaller parts of a list, the last ones first: what comes before stays as it was. */
  async #minimize<T>(
    all: readonly T[],
    make: (kept: readonly T[]) => Partial<Scenario> | null,
  ): Promise<void> {
    const holds = async (kept: readonly T[]) => {
      const change = make(kept)
      return change !== null && (await this.#try(change))
    }
    if (all.length === 0 || (await holds([]))) return
    let kept = all
    for (let chunk = Math.ceil(kept.length / 2); ; chunk = Math.ceil(chunk / 2)) {
      const before = kept.length
      for (let end = kept.length; end > 0; end -= chunk) {
        const rest = kept.filter((_, at) => at < end - chunk || at >= end)
        if (rest.length > 0 && (await holds(rest))) kept = rest
        if (this.#options.isOver()) return
      }
      if (chunk === 1 && kept.length === before) return
    }
  }

  /** Only those that are used, from 0 on. */
  async #fewerConversations(): Promise<void> {
    const { operations, conversations } = this.smallest
    const used = [...new Set(operations.flatMap(conversationOf))].toSorted((a, b) => a - b)
    if (used.length === 0 || used.length === conversations) return
    await this.#try({
      conversations: used.length,
      operations: operations.map((operation) =>
        'conversation' in operation
          ? { ...operation, conversation: used.indexOf(operation.conversation) }
          : operation,
      ),
    })
  }

  /** The same in half the time. */
  #faster(): Promise<boolean> {
    const { safetyMs, faults, operations } = this.smallest
    if (safetyMs < 200) return Promise.resolve(false)
    const sooner = <T extends { readonly atMs: number }>(one: T): T => ({
      ...one,
      atMs: Math.round(one.atMs * 500) / 1_000,
    })
    return this.#try({
      safetyMs: Math.ceil(safetyMs / 2),
      faults: faults.map(sooner),
      operations: operations.map(sooner),
    })
  }

  async #try(change: Partial<Scenario>, boundByTime = true): Promise<boolean> {
    if (boundByTime && this.#options.isOver()) return false
    const candidate = { ...this.smallest, ...change }
    this.runs += 1
    const { violation, brokenForMs } = await this.#options.run(candidate)
    if (violation?.property !== this.#options.property) return false
    this.smallest = upTo(candidate, brokenForMs)
    this.#options.onSmaller?.(this.smallest, this.runs)
    return true
  }
}

/** Without what would have come after the run had ended: up to there it stays the same run. */
function upTo(scenario: Scenario, endMs: number): Scenario {
  const { faults, operations, safetyMs } = scenario
  return {
    ...scenario,
    safetyMs: Math.min(safetyMs, endMs + 1),
    faults: faults.filter(({ atMs }) => atMs <= endMs),
    operations: operations.filter(({ atMs }) => atMs <= endMs),
  }
}

function conversationOf(operation: Scenario['operations'][number]): number[] {
  return 'conversation' in operation ? [operation.conversation] : []
}
