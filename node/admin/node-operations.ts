import { drainOperations, type DrainParts } from './drain-operations.ts'
import { memberOperations, type MemberParts } from './member-operations.ts'
import type { Operation } from './operation.ts'
import { reportOperations, type ReportParts } from './report-operations.ts'
import { reloadOperation, type ReloadParts } from './reload-operation.ts'
import { traceOperation, type TraceParts } from './trace-operation.ts'
import { upgradeOperations, type UpgradeParts } from './upgrade-operations.ts'
import { transferLeadership, type TransferParts } from './transfer-leadership.ts'

/** What operations need of the node that does them. */
export type OperationParts = TransferParts &
  DrainParts &
  ReloadParts &
  UpgradeParts &
  MemberParts &
  ReportParts &
  TraceParts

/** Everything that a node does for operators who asked another one. */
export function nodeOperations(parts: OperationParts): ReadonlyMap<string, Operation> {
  const operations = [
    transferLeadership(parts),
    ...memberOperations(parts),
    ...drainOperations(parts),
    reloadOperation(parts),
    ...upgradeOperations(parts),
    ...reportOperations(parts),
    traceOperation(parts),
  ]
  return new Map(operations.map((operation) => [operation.name, operation]))
}
