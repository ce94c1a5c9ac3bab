import { CHAOS } from './chaos-dashboard.ts'
import { CLIENTS } from './clients-dashboard.ts'
import { CLUSTER } from './cluster-dashboard.ts'
import type { Dashboard } from './dashboard.ts'
import { MESSAGES } from './messages-dashboard.ts'
import { RAFT } from './raft-dashboard.ts'

export const DASHBOARDS: readonly Dashboard[] = [CLUSTER, RAFT, MESSAGES, CLIENTS, CHAOS]
