import type { Checker, History, Violation } from '../history/history.ts'
import { acknowledgedNeverLost } from './acknowledged-never-lost.ts'
import { causalReplies } from './causal-replies.ts'
import { changes } from './changes.ts'
import { erasure } from './erasure.ts'
import { feed } from './feed.ts'
import { fifo } from './fifo.ts'
import { gapless } from './gapless.ts'
import { inboxes } from './inboxes.ts'
import { keys } from './keys.ts'
import { linearizable } from './linearizable.ts'
import { liveness } from './liveness.ts'
import { monotonicReads } from './monotonic-reads.ts'
import { noDuplicate } from './no-duplicate.ts'
import { noPhantom } from './no-phantom.ts'
import { notVacuous } from './not-vacuous.ts'
import { orderAgreement } from './order-agreement.ts'
import { ownWrites } from './own-writes.ts'
import { pushOrder } from './push-order.ts'
import { receipts } from './receipts.ts'
import { retention } from './retention.ts'
import { signals } from './signals.ts'
import { streams } from './streams.ts'
import { sync } from './sync.ts'

/** All that judge a history, by the property of `chaos/SPEC.md`. */
export const CHECKERS = {
  P1: acknowledgedNeverLost,
  P2: noDuplicate,
  P3: orderAgreement,
  P4: gapless,
  P5: fifo,
  P6: linearizable,
  P7: noPhantom,
  P8: causalReplies,
  P9: keys,
  P11: pushOrder,
  P12: monotonicReads,
  P13: ownWrites,
  P14: streams,
  P16: inboxes,
  R10: liveness,
  R19: notVacuous,
} as const satisfies Readonly<Record<string, Checker>>

/** The same for what is done beside messages. */
export const FEATURE_CHECKERS = {
  P10: receipts,
  P17: changes,
  P18: retention,
  P19: signals,
  P20: feed,
  P21: erasure,
  P22: sync,
} as const satisfies Readonly<Record<string, Checker>>

/** What is broken, by the most telling property first. */
export function check(history: History): Violation[] {
  const checkers = [...Object.values(CHECKERS), ...Object.values(FEATURE_CHECKERS)]
  return checkers.flatMap((checker) => checker(history))
}
