import { plainText } from '../plain-text.ts'
import type { Capture } from './capture.ts'
import type { Check, Finding, Severity } from './check.ts'
import { LAG_CHECKS } from './lag-checks.ts'
import { MACHINE_CHECKS } from './machine-checks.ts'
import { NODE_CHECKS } from './node-checks.ts'
import { patientOf } from './patient.ts'
import { QUORUM_CHECKS } from './quorum-checks.ts'
import { SETUP_CHECKS } from './setup-checks.ts'
import { WORK_CHECKS } from './work-checks.ts'

export const CHECKS: readonly Check[] = [
  ...QUORUM_CHECKS,
  ...NODE_CHECKS,
  ...LAG_CHECKS,
  ...MACHINE_CHECKS,
  ...WORK_CHECKS,
  ...SETUP_CHECKS,
]

const ORDER: readonly Severity[] = ['critical', 'warning', 'info']

/** What there is to find, the worst first. */
export function examine(capture: Capture): Finding[] {
  const patient = patientOf(capture)
  return CHECKS.flatMap((check) =>
    check.find(patient).map((sighting) => ({
      check: check.id,
      title: check.title,
      severity: sighting.severity ?? check.severity,
      node: sighting.node,
      evidence: plainText(sighting.evidence),
      next: plainText(sighting.next),
      runbook: `docs/operations.md#${check.runbook}`,
    })),
  ).toSorted((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity))
}
