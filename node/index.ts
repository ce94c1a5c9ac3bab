/** The door of this package: a node whole, on real ports or on any others. */
export type { ClusterView } from './admin/cluster-view.ts'
export type { MembersView, MemberView } from './admin/members-view.ts'
export type { Preflight } from './admin/preflight.ts'
export { BackupDecoder } from './backup/backup-codec.ts'
export { BackupError } from './backup/backup-error.ts'
export type { BackupManifest } from './backup/backup-manifest.ts'
export { type BackupFile, checkBackup } from './backup/read-backup.ts'
export { checkPlan, type Recovered, recover } from './backup/recover.ts'
export { planRecovery, planShape, type RecoveryPlan } from './backup/recovery-plan.ts'
export { RefusedError } from './backup/refused-error.ts'
export { checkTargets, type Restored, restore, type RestoreTarget } from './backup/restore.ts'
export { openSurvivor, type SurvivorReport, survivorShape } from './backup/survivor.ts'
export { type VerifiedContent, verifyBackup } from './backup/verify-backup.ts'
export { StartError } from './data-directory.ts'
export { offlinePorts } from './host/offline-ports.ts'
export { makeCertificate } from './identity/certificates/certificate.ts'
export {
  certificateId,
  makeRevocationList,
  readRevocationLists,
} from './identity/certificates/revocation-list.ts'
export type { NodePorts, NodeSettings } from './node-settings.ts'
export { ParleyNode } from './parley-node.ts'
export type { ReloadReport } from './reload.ts'
export {
  type RereadOptions,
  type RunningServer,
  type ServerOptions,
  checkServer,
  startServer,
} from './server.ts'
export type { VerifyReport } from './verify/verify-data.ts'
export { verifyDirectory } from './verify-directory.ts'
