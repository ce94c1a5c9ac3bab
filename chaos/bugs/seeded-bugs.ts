import { FEATURE_BUGS } from './feature-bugs.ts'
import { GATEWAY_BUGS } from './gateway-bugs.ts'
import { LOG_BUGS } from './log-bugs.ts'
import { OPERATOR_BUGS } from './operator-bugs.ts'
import { RAFT_BUGS } from './raft-bugs.ts'
import type { SeededBug } from './seeded-bug.ts'
import { STATE_BUGS } from './state-bugs.ts'

export const SEEDED_BUGS: readonly SeededBug[] = [
  ...RAFT_BUGS,
  ...OPERATOR_BUGS,
  ...LOG_BUGS,
  ...STATE_BUGS,
  ...GATEWAY_BUGS,
  ...FEATURE_BUGS,
]
