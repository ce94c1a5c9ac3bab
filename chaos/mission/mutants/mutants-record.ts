import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from '../../bugs/broken-tree.ts'
import { writeFormatted } from '../../search/write-formatted.ts'
import { digestOf, type Mutant } from './mutant.ts'
import { MUTANTS } from './mutants.ts'

/** What was seen of one mutant. */
export interface Seen {
  readonly name: string
  /** Of what was changed and who had to notice. */
  readonly digest: string
  readonly result: 'red' | 'green' | 'broken'
  /** Other rows of which a test turned red, twice in a row; `null`: they were not run. */
  readonly alsoRed: readonly number[] | null
  /** Rows whose tests stayed green. */
  readonly stayedGreen: number
}

const FILE = join(ROOT, 'chaos/mission/mutants/mutants.json')
const PAGE = join(ROOT, 'chaos/README.md')
const BEGIN = '<!-- mutants: written by `npm run mission:mutants` -->'
const END = '<!-- end of mutants -->'

export const readRecord = (): Seen[] => JSON.parse(readFileSync(FILE, 'utf8')) as Seen[]

/** What the page must say between its two comments. */
export function render(record: readonly Seen[]): string {
  const rows = new Set(MUTANTS.map(({ row }) => row))
  const crossed = record.filter(({ alsoRed }) => alsoRed !== null)
  const lines = MUTANTS.map((mutant) => {
    const seen = record.find(({ name }) => name === mutant.name)
    return `| ${[`M-${mutant.row}`, mutant.story, link(mutant.file), link(mutant.test), verdict(mutant, seen)].join(' | ')} |`
  })
  return `${MUTANTS.length} mechanisms of ${rows.size} rows. For ${crossed.length} of them the tests of all other rows were run, too.

| row | what the program does with it | changed | must notice | noticed |
| --- | --- | --- | --- | --- |
${lines.join('\n')}`
}

/** Keeps what was seen; of a mutant that was tried before, the newest counts. */
export async function recordSeen(seen: Seen): Promise<void> {
  const before = readRecord()
  const record = MUTANTS.flatMap(({ name }) =>
    name === seen.name ? seen : (before.find((one) => one.name === name) ?? []),
  )
  await writeFormatted(FILE, JSON.stringify(record))
  const page = await readFile(PAGE, 'utf8')
  const [head, rest] = page.split(BEGIN)
  const tail = rest?.split(END)[1]
  if (head === undefined || tail === undefined) throw new Error(`the page has no "${BEGIN}"`)
  await writeFormatted(PAGE, `${head}${BEGIN}\n\n${render(record)}\n\n${END}${tail}`)
}

/** What the page says now, without the padding of its table. */
export function shownOnPage(): string {
  const text = readFileSync(PAGE, 'utf8').split(BEGIN)[1]?.split(END)[0] ?? ''
  return unpadded(text)
}

export const unpadded = (text: string): string =>
  text.trim().replace(/ +\|/g, ' |').replace(/-{3,}/g, '---')

function verdict(mutant: Mutant, seen: Seen | undefined): string {
  if (seen === undefined || seen.digest !== digestOf(mutant)) return 'not tried'
  if (seen.result !== 'red') return `no: ${seen.result}`
  if (seen.alsoRed === null) return 'yes'
  const { rows, because } = mutant.also
  const known = seen.alsoRed.filter((row) => rows.includes(row))
  const unknown = seen.alsoRed.filter((row) => !rows.includes(row))
  if (seen.alsoRed.length === 0) return `yes, and no other of ${seen.stayedGreen} rows`
  const named = (list: readonly number[]) => list.map((row) => `M-${row}`).join(', ')
  const reasons = known.length === 0 ? [] : [`${named(known)}: ${because}`]
  if (unknown.length > 0) reasons.push(`${named(unknown)}: unexplained`)
  return `yes; also ${reasons.join('; ')}`
}

const link = (path: string): string =>
  `[${path.split('/').at(-1)}](${path.startsWith('chaos/') ? path.slice('chaos/'.length) : `../${path}`})`
