import { createHash } from 'node:crypto'
import type { SeededBug } from '../../bugs/seeded-bug.ts'

/** Rows whose tests show the same mechanism, so that they turn red with it. */
export interface AlsoRed {
  readonly rows: readonly number[]
  readonly because: string
}

/** One mechanism of the papers switched off by one change of one file. */
export interface Mutant extends Omit<SeededBug, 'breaks'> {
  /** The `M-n` that must notice. */
  readonly row: number
  /** Test file, from the repository's top, whose titles with that number are run. */
  readonly test: string
  readonly also: AlsoRed
}

const NOBODY: AlsoRed = { rows: [], because: '' }

export const mutant = (
  row: number,
  name: string,
  story: string,
  test: string,
  [file, find, replace]: readonly [string, string, string],
  also: AlsoRed = NOBODY,
): Mutant => ({ row, name, story, test, file, find, replace, also })

/** Of what is changed and who must notice: another one has to be tried anew. */
export function digestOf({ row, test, file, find, replace }: Mutant): string {
  const text = JSON.stringify([row, test, file, find, replace])
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}
