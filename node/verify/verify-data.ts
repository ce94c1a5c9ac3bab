import { type FileSystem, inspectLog, type InspectedLog } from '#cluster'
import { lookAtLabel } from '../data-directory.ts'
import { RecordHistory } from '../store/record-history.ts'
import { StorePointer } from '../store/store-pointer.ts'
import { StoreSeal } from '../store/store-seal.ts'
import { readStoredValues } from './stored-values.ts'

export interface Finding {
  readonly part: 'label' | 'log' | 'store' | 'agreement'
  readonly what: string
  /** What an operator does about it. */
  readonly advice: string
}

export interface VerifiedLog {
  readonly raftId: string
  /** `null`: no cluster was ever formed. */
  readonly clusterId: string | null
  readonly firstIndex: number
  readonly lastIndex: number
  readonly commit: number
  readonly segments: number
  readonly bytes: number
}

export interface VerifiedStore {
  readonly name: string
  /** The log index that it stands at, 0 before the first checkpoint. */
  readonly index: number
  readonly tables: number
  readonly values: number
  readonly bytes: number
}

export interface VerifyReport {
  readonly directory: string
  readonly node: string | null
  readonly log: VerifiedLog | null
  readonly store: VerifiedStore | null
  /** Empty: everything that can be checked is right. */
  readonly findings: readonly Finding[]
}

const MEND_STORE =
  'start the node: it throws the store away and rebuilds it, by replaying the log or from a peer; leave the log alone'
const REPLACE =
  'do not start the node with it: run `parley members replace NAME` on a healthy node, then start it with an empty data directory'

/**
 * Checks all that the data directory of a stopped node holds, and writes nothing: label, every batch
 * of the log, every value of the store with its chain of cuts, and that the two agree. Damage of one
 * part hides no damage of another. Rejects only if something cannot be read for reasons of its own.
 */
export async function verifyData(fileSystem: FileSystem, directory: string): Promise<VerifyReport> {
  const findings: Finding[] = []
  const check = async <T>(part: Finding['part'], advice: string, run: () => Promise<T>) => {
    try {
      return await run()
    } catch (error) {
      if (!isAboutContent(error)) throw error
      findings.push({ part, what: sentenceOf(error), advice })
      return null
    }
  }
  const node = await check('label', 'restore node.json from a copy, or replace the node', () =>
    lookAtLabel(fileSystem, directory),
  )
  const log = await check('log', REPLACE, () => inspectLog(fileSystem, `${directory}/log`))
  const store = await check('store', MEND_STORE, () => verifyStore(fileSystem, directory))
  const isDamaged = (part: Finding['part']) => findings.some((finding) => finding.part === part)
  if (!isDamaged('log') && !isDamaged('store')) findings.push(...disagreements(log, store))
  return {
    directory,
    node,
    log: log === null ? null : shown(log),
    store: store === null ? null : shownStore(store),
    findings,
  }
}

async function verifyStore(
  fileSystem: FileSystem,
  directory: string,
): Promise<(VerifiedStore & { readonly term: number }) | null> {
  const parent = `${directory}/store`
  const name = await new StorePointer(fileSystem, parent).read()
  if (name === null) {
    const others = (await fileSystem.list(parent)).filter((each) => /^store-\d+$/.test(each))
    for (const other of others) {
      const { promised } = await StoreSeal.open(fileSystem, `${parent}/${other}/seal`)
      if (promised !== null && promised.number > 0) {
        throw new ContentError(`${parent}/current is gone, and ${other} holds a store`)
      }
    }
    return null
  }
  const { records, tables, values, bytes } = await readStoredValues(
    fileSystem,
    `${parent}/${name}/db`,
  )
  const { promised } = await StoreSeal.open(fileSystem, `${parent}/${name}/seal`)
  const { cut } = RecordHistory.verify(records, promised)
  return { name, index: cut?.index ?? 0, term: cut?.term ?? 0, tables, values, bytes }
}

/** Rule K3: the store stands at an entry of the log, or before its start and was lost. */
function disagreements(
  log: InspectedLog | null,
  store: (VerifiedStore & { readonly term: number }) | null,
): Finding[] {
  const part = 'agreement'
  if (log === null) {
    if (store === null) return []
    return [{ part, what: 'there is a store and no log: the log was lost', advice: REPLACE }]
  }
  const { index, term } = store ?? { index: 0, term: 0 }
  if (index + 1 < log.firstIndex) {
    const what = `the store stands at index ${index}, and the log begins at ${log.firstIndex}: the state in between is gone`
    return [{ part, what, advice: 'start the node: a peer sends it the state; it votes meanwhile' }]
  }
  if (index === 0 || log.term(index) === term) return []
  const what = `the store stands at index ${index} of term ${term}, which the log, ending at ${log.lastIndex}, does not hold`
  const advice =
    'start the node: it ends what an installed snapshot began, or says that its log lost what was synced; then replace it'
  return [{ part, what, advice }]
}

function shown(log: InspectedLog): VerifiedLog {
  const { raftId, formation, firstIndex, lastIndex, commit, segments, bytes } = log
  const clusterId = formation?.clusterId ?? null
  return { raftId, clusterId, firstIndex, lastIndex, commit, segments, bytes }
}

function shownStore({ name, index, tables, values, bytes }: VerifiedStore): VerifiedStore {
  return { name, index, tables, values, bytes }
}

class ContentError extends Error {
  override readonly name = 'ContentError'
}

const ABOUT_CONTENT: ReadonlySet<string> = new Set([
  'ContentError',
  'StartError',
  'LogDamagedError',
  'LogFormatError',
  'StoreDamagedError',
])

/** What a file holds is wrong; anything else, such as a missing right, says nothing about it. */
function isAboutContent(error: unknown): error is Error {
  if (!(error instanceof Error)) return false
  const { kind } = error as { readonly kind?: unknown }
  return ABOUT_CONTENT.has(error.name) || (error.name === 'DatabaseError' && kind === 'corrupt')
}

/** Without the advice that a start gives: this has its own. */
function sentenceOf(error: Error): string {
  return error.message
    .replace(/^the log is damaged: /, '')
    .replace(/^the store must be discarded: /, '')
    .replace(/: the store must be discarded$/, '')
    .replace(/\. Nothing was changed.*$/s, '')
}
