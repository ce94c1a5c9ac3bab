import { CLIENT_MUTANTS } from './client-mutants.ts'
import type { Mutant } from './mutant.ts'
import { NODE_MUTANTS } from './node-mutants.ts'

/** By row. */
export const MUTANTS: readonly Mutant[] = [...NODE_MUTANTS, ...CLIENT_MUTANTS].sort(
  (a, b) => a.row - b.row,
)
