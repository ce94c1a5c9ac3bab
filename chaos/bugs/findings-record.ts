import { readFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { writeFormatted } from '../search/write-formatted.ts'
import type { Finding } from './find-bug.ts'
import type { SeededBug } from './seeded-bug.ts'
import { SEEDED_BUGS } from './seeded-bugs.ts'

interface Row {
  readonly name: string
  readonly commit: string
  readonly machine: string
  readonly searches: readonly {
    readonly from: number
    readonly cpuMs: number
    /** Property that was violated; `null` if none was. */
    readonly property: string | null
  }[]
}

const CHAOS = join(import.meta.dirname, '..')
const FILE = join(CHAOS, 'bugs/findings.json')
const PAGE = join(CHAOS, 'README.md')
const BEGIN = '<!-- seeded bugs: written by `npm run sim:bugs -- --record` -->'
const END = '<!-- end of seeded bugs -->'

/** Keeps what was found; of a bug that was looked for before, the newest counts. */
export async function recordFindings(
  { name }: SeededBug,
  findings: readonly Finding[],
  commit: string,
): Promise<void> {
  const machine = `${cpus()[0]?.model ?? 'unknown'}, Node ${process.versions.node}`
  const before = JSON.parse(await readFile(FILE, 'utf8')) as Row[]
  const searches = findings.map(({ from, cpuMs, found }) => {
    return { from, cpuMs, property: found?.property ?? null }
  })
  const all = [{ name, commit, machine, searches }, ...before]
  const rows = SEEDED_BUGS.flatMap((bug) => all.find((row) => row.name === bug.name) ?? [])
  await writeFormatted(FILE, JSON.stringify(rows))
  const page = await readFile(PAGE, 'utf8')
  const [head, rest] = page.split(BEGIN)
  const tail = rest?.split(END)[1]
  if (head === undefined || tail === undefined) throw new Error(`the page has no "${BEGIN}"`)
  await writeFormatted(PAGE, `${head}${BEGIN}\n\n${render(rows)}\n\n${END}${tail}`)
}

function render(rows: readonly Row[]): string {
  const lines = rows.map(({ name, commit, searches }) => {
    const bug = SEEDED_BUGS.find((one) => one.name === name)!
    const properties = [...new Set(searches.map(({ property }) => property ?? 'not found'))]
    const seconds = searches.map(({ cpuMs }) => (cpuMs / 1_000).toFixed(1))
    const cells = [bug.name, bug.story, properties.join(', '), seconds.join(', '), `\`${commit}\``]
    return `| ${cells.join(' | ')} |`
  })
  const machines = [...new Set(rows.map(({ machine }) => machine))]
  const medians = rows.map(({ searches }) => median(searches.map(({ cpuMs }) => cpuMs)))
  return `${rows.length} bugs; half of them are found within ${(median(medians) / 1_000).toFixed(1)} s of one core, the slowest median is ${(Math.max(...medians) / 1_000).toFixed(0)} s. Machine: ${machines.join('; ')}.

| bug | what the program does with it | found by | seconds of one core | commit |
| --- | --- | --- | --- | --- |
${lines.join('\n')}`
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
