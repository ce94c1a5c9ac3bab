import type { Entry, Formation, SegmentLog } from '#cluster'
import type { Pair, StoreSnapshot } from '../store/store.ts'
import { type OfflinePorts, PreparedMember } from './prepared-member.ts'
import type { RecoveryPlan } from './recovery-plan.ts'
import { RefusedError } from './refused-error.ts'
import { openSurvivor, standsAlone, type Survivor } from './survivor.ts'

const READ_BYTES = 1024 * 1024
const PAGE_PAIRS = 500

export interface Recovered {
  /** Where the new cluster of one begins. */
  readonly index: number
  /** In the data directory: log and store as they were. */
  readonly undo: string
}

/** @throws RefusedError unless the directory is the one that the plan is for, unchanged since */
export function checkPlan({ chosen }: RecoveryPlan, { report }: Survivor): void {
  if (report.raftId !== chosen.id) {
    throw new RefusedError(
      `the plan is for ${chosen.name} (${chosen.id}), and this is the directory of ${report.name} (${report.raftId})`,
    )
  }
  if (report.lastIndex === chosen.lastIndex && report.lastTerm === chosen.lastTerm) return
  throw new RefusedError(
    `${chosen.name} ended at index ${chosen.lastIndex} of term ${chosen.lastTerm} when the plan was made, and now at ${report.lastIndex} of ${report.lastTerm}: it has run since. Collect and plan again`,
  )
}

/**
 * Makes a cluster of one out of what the survivor has: everything its log holds is applied, whether or
 * not it was known to be committed, in a copy; then the copy takes the place of the old log and store,
 * which stay in a directory beside it. Ended anywhere, the directory is the old node, or the new one
 * after its next start; done before, it is left as it is.
 */
export async function recover(
  ports: OfflinePorts,
  directory: string,
  plan: RecoveryPlan,
): Promise<Recovered> {
  const undo = `before-recover-${plan.epoch}`
  const survivor = await openSurvivor(ports, directory)
  let index: number
  let member: PreparedMember | null = null
  try {
    const { clusterId, lastIndex } = survivor.report
    if (clusterId === plan.newClusterId) return { index: lastIndex, undo: `${directory}/${undo}` }
    checkPlan(plan, survivor)
    const { name, peerAddress, clientUrl } = plan.chosen
    member = await PreparedMember.begin(ports, directory, name)
    const alone = { id: member.raftId, name, peerAddress, clientUrl }
    const formation: Formation = {
      clusterId: plan.newClusterId,
      epoch: plan.newEpoch,
      configuration: { voters: [alone], outgoing: [], learners: [] },
    }
    ;({ index } = await fill(member, survivor, formation))
  } catch (error) {
    await member?.close().catch(() => undefined)
    throw error
  } finally {
    await survivor.close()
  }
  // Whoever starts the node now finds the directory taken, or the switch begun.
  const unlock = await ports.fileSystem.lock(`${directory}/log`)
  try {
    await member.commit(undo)
  } finally {
    await unlock()
  }
  return { index, undo: `${directory}/${undo}` }
}

async function fill(member: PreparedMember, { log, stores }: Survivor, formation: Formation) {
  const cut = stores.store?.cut ?? null
  const snapshot = cut === null ? null : await stores.store!.snapshot()
  const from = cut === null ? 1 : cut.index + 1
  const isAlone = cut !== null && standsAlone(log, cut)
  try {
    const entries = isAlone ? [] : entriesOf(log, from)
    return await member.fill({ cut, pairs: pagesOf(snapshot), entries }, formation)
  } finally {
    await snapshot?.close()
  }
}

function* entriesOf(log: SegmentLog, from: number): Generator<Entry> {
  const end = log.lastIndex() + 1
  for (let next = from; next < end;) {
    const entries = log.entries(next, end, READ_BYTES)
    if (entries === null) {
      throw new RefusedError(
        `the log begins at ${log.firstIndex()} and the store ends before it: this survivor cannot be built. Plan without its report`,
      )
    }
    yield* entries
    next += entries.length
  }
}

async function* pagesOf(snapshot: StoreSnapshot | null): AsyncGenerator<readonly Pair[]> {
  let page: Pair[] = []
  for await (const pair of snapshot?.pairs() ?? []) {
    page.push(pair)
    if (page.length < PAGE_PAIRS) continue
    yield page
    page = []
  }
  if (page.length > 0) yield page
}
