import type { Checker, History, Violation } from '../history/history.ts'
import { acknowledgedNeverLost } from './acknowledged-never-lost.ts'
import { fifo } from './fifo.ts'
import { gapless } from './gapless.ts'
import { noDuplicate } from './no-duplicate.ts'
import { noPhantom } from './no-phantom.ts'
import { orderAgreement } from './order-agreement.ts'

export const CHECKERS: Readonly<Record<string, Checker>> = {
  acknowledgedNeverLost,
  noDuplicate,
  orderAgreement,
  gapless,
  fifo,
  noPhantom,
}

export function check(history: History): Violation[] {
  return Object.values(CHECKERS).flatMap((checker) => checker(history))
}
