import type { Patient } from './patient.ts'

/** `critical`: writes or data are at stake now. `warning`: less is left than one thinks. */
export type Severity = 'critical' | 'warning' | 'info'

/** One thing that was found. */
export interface Sighting {
  /** The node that it is about; `null`: the cluster. */
  readonly node: string | null
  /** With the numbers that it rests on. */
  readonly evidence: string
  /** The next command to type, or what else to do. */
  readonly next: string
  /** @default that of the check */
  readonly severity?: Severity
}

/** A cause of trouble that can be told from what nodes say. */
export interface Check {
  readonly id: string
  readonly severity: Severity
  /** What it means, in a few words. */
  readonly title: string
  /** The section of docs/operations.md that says more. */
  readonly runbook: string
  find(patient: Patient): Sighting[]
}

export interface Finding extends Sighting {
  readonly check: string
  readonly severity: Severity
  readonly title: string
  readonly runbook: string
}
