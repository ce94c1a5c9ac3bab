/** What a drill does to nodes. */
export const FAULTS = ['kill', 'stop', 'pause', 'partition'] as const
export type Fault = (typeof FAULTS)[number]

/** What takes it back. */
export const MENDS = ['start', 'resume', 'heal'] as const
export type Mend = (typeof MENDS)[number]

/** One thing that is done to a cluster under load; the next one comes once sends go on, if they can. */
export type DrillStep =
  | {
      readonly do: Fault
      /**
       * `leader`; `follower`: any that reaches it; `half`: the leader and as many others as make at
       * most half of the nodes; or a name.
       */
      readonly node: string
      /** Of a partition: the nodes still hear the others. @default false */
      readonly oneWay?: boolean | undefined
      /** How long it stays as it is then, ms. @default 0 */
      readonly holdMs?: number | undefined
    }
  | {
      readonly do: Mend
      /** @default every node that it fits */
      readonly node?: string | undefined
      readonly holdMs?: number | undefined
    }

/** What is done in one round; whatever is still broken at its end is mended. */
export interface Drill {
  readonly summary: string
  /** Members of the cluster, unless somebody says another number. @default 3 */
  readonly nodes?: number | undefined
  readonly steps: readonly DrillStep[]
}

export function isFault(step: DrillStep): step is Extract<DrillStep, { do: Fault }> {
  return (FAULTS as readonly string[]).includes(step.do)
}
