import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { addTotals, COUNTS, NO_TOTALS, sumOf, type Tally, type Totals } from './search-totals.ts'
import { writeFormatted } from './write-formatted.ts'

/** A seed that once showed a bug. It draws the same run only as long as nothing changes what is drawn. */
export interface PinnedSeed {
  readonly seed: number
  /** Simulated ms in which things break. */
  readonly safetyMs: number
  /** It was one of `parley sim --sparse`. */
  readonly sparse?: true
  readonly story: string
}

export interface TrackRecord {
  readonly pinned: readonly PinnedSeed[]
  /** What each commit was searched for, oldest first. */
  readonly searches: readonly { readonly commit: string; readonly totals: Totals }[]
}

const CHAOS = join(import.meta.dirname, '..')
const FILE = 'track-record.json'
const PAGE = 'README.md'
const BEGIN = '<!-- track record: written by `parley sim --record` -->'
const END = '<!-- end of track record -->'

export async function readTrackRecord(directory = CHAOS): Promise<TrackRecord> {
  return JSON.parse(await readFile(join(directory, FILE), 'utf8')) as TrackRecord
}

/** Adds what was searched to the record of its commit, and shows the record on the page beside it. */
export async function addToTrackRecord(
  commit: string,
  totals: Totals,
  directory = CHAOS,
): Promise<TrackRecord> {
  const { pinned, searches } = await readTrackRecord(directory)
  const before = searches.find((one) => one.commit === commit)
  const added = { commit, totals: addTotals(before?.totals ?? NO_TOTALS, totals) }
  const record = { pinned, searches: [...searches.filter((one) => one !== before), added] }
  await writeFormatted(join(directory, FILE), JSON.stringify(record))
  const page = await readFile(join(directory, PAGE), 'utf8')
  await writeFormatted(join(directory, PAGE), withTrackRecord(page, record))
  return record
}

/** The page with the tables of the record between its two marks. */
export function withTrackRecord(page: string, record: TrackRecord): string {
  const [before, rest] = page.split(BEGIN)
  const after = rest?.split(END)[1]
  if (before === undefined || after === undefined) throw new Error(`the page has no "${BEGIN}"`)
  return `${before}${BEGIN}\n\n${renderTrackRecord(record)}\n\n${END}${after}`
}

function renderTrackRecord({ pinned, searches }: TrackRecord): string {
  const all = searches.reduce((sum, { totals }) => addTotals(sum, totals), NO_TOTALS)
  const rows = searches.map(({ commit, totals }) => row(`\`${commit}\``, totals))
  return `An hour counts only if its run has at least ${COUNTS.nodes} nodes, ${COUNTS.operationsPerSecond} client operations a second and ${COUNTS.faultsPerSecond} faults a second that were seen to do something.

| commit | hours that count | simulated hours | seeds | violations | client operations | faults that bit | leader changes |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${[...rows, row('all', all)].join('\n')}

Faults that bit: ${told(all.evidence)}.
Deaths at failpoints: ${told(all.failpoints)}.

Seeds that showed a bug once. \`npm run test:ci\` runs them all; since a seed draws another run when there is more to draw, what a bug
took is kept in \`regressions/\`.

| seed | what it showed |
| --- | --- |
${pinned.map(({ seed, sparse, story }) => `| ${seed}${sparse ? ' (sparse)' : ''} | ${story} |`).join('\n')}`
}

function row(name: string, totals: Totals): string {
  const hours = (ms: number) => (ms / 3_600_000).toFixed(1)
  const { countedMs, simulatedMs, seeds, violations, operations, evidence, leaderChanges } = totals
  const figures = [seeds, violations, operations, sumOf(evidence), leaderChanges]
  return `| ${[name, hours(countedMs), hours(simulatedMs), ...figures.map(grouped)].join(' | ')} |`
}

function told(tally: Tally): string {
  const parts = Object.entries(tally).map(([name, count]) => `${name} ${grouped(count)}`)
  return parts.length === 0 ? 'none yet' : parts.join(', ')
}

function grouped(count: number): string {
  return count.toLocaleString('en-US')
}
