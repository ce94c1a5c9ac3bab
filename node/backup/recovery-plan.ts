import { array, hex, integer, type Member, object, oneOf, type Random, text } from '#cluster'
import { newIdentity } from './new-identity.ts'
import { RefusedError } from './refused-error.ts'
import { memberOf, type SurvivorReport } from './survivor.ts'

/** How a cluster goes on from one survivor alone. Made once, so that applying it twice is the same. */
export interface RecoveryPlan {
  readonly schema: 1
  /** The cluster that lost its majority: whoever applies the plan types it. */
  readonly clusterId: string
  readonly epoch: string
  /** What it is from then on (rule K8). */
  readonly newClusterId: string
  readonly newEpoch: string
  /** The survivor that it goes on from: the plan is for its directory as it was, and no other. */
  readonly chosen: Member & {
    readonly lastIndex: number
    readonly lastTerm: number
    readonly commit: number
  }
  readonly survivors: readonly string[]
  /** Voters that nobody reported on. None of them may ever start again with its old directory. */
  readonly lost: readonly Member[]
  /** Sentences: what may be gone, and what comes that was never acknowledged. */
  readonly mayBeLost: readonly string[]
}

const MEMBER = {
  id: hex(8),
  name: text(255),
  peerAddress: text(1024),
  clientUrl: text(2048),
}

export const planShape = object<RecoveryPlan>({
  schema: oneOf(1),
  clusterId: hex(16),
  epoch: hex(8),
  newClusterId: hex(16),
  newEpoch: hex(8),
  chosen: object<RecoveryPlan['chosen']>({
    ...MEMBER,
    lastIndex: integer(),
    lastTerm: integer(),
    commit: integer(),
  }),
  survivors: array(text(255), 1_000),
  lost: array(object<Member>(MEMBER), 1_000),
  mayBeLost: array(text(4_096), 10),
})

/**
 * Chooses the survivor whose log goes furthest, by term and then by index, as an election would.
 *
 * @throws RefusedError if a majority can still be had, or the reports are not of one cluster
 */
export function planRecovery(reports: readonly SurvivorReport[], random: Random): RecoveryPlan {
  checkOneCluster(reports)
  const usable = reports.filter(({ store, firstIndex }) => store === 'whole' || firstIndex === 1)
  const best = usable.reduce<SurvivorReport | null>(
    (chosen, each) => (chosen === null || isFurther(each, chosen) ? each : chosen),
    null,
  )
  if (best === null) {
    throw new RefusedError(
      'no survivor has a whole store, or a log from its beginning: restore the newest backup (parley restore)',
    )
  }
  const { configuration } = best
  const voters = [...configuration.voters, ...configuration.outgoing]
  const alive = new Set(reports.map(({ raftId }) => raftId))
  const lost = voters.filter(({ id }) => !alive.has(id))
  const survivors = reports.map(({ name }) => name).sort()
  if (2 * (voters.length - lost.length) > voters.length) {
    throw new RefusedError(
      `${survivors.join(', ')} are a majority of ${voters.length}: nothing has to be given up. Start them with their directories, then bring the others back: parley members replace`,
    )
  }
  const { newClusterId, newEpoch } = renamed(newIdentity(random))
  const { lastIndex, lastTerm, commit, clusterId, epoch } = best
  return {
    schema: 1,
    clusterId,
    epoch,
    newClusterId,
    newEpoch,
    chosen: { ...memberOf(best), lastIndex, lastTerm, commit },
    survivors,
    lost,
    mayBeLost: sentences(best, lost),
  }
}

function checkOneCluster(reports: readonly SurvivorReport[]): void {
  const [first] = reports
  if (first === undefined) throw new RefusedError('there is no report of a survivor')
  for (const { clusterId, epoch, name } of reports) {
    if (clusterId === first.clusterId && epoch === first.epoch) continue
    throw new RefusedError(
      `${name} is of cluster ${clusterId}, epoch ${epoch}, and ${first.name} of ${first.clusterId}, epoch ${first.epoch}: plan each for itself`,
    )
  }
  if (new Set(reports.map(({ raftId }) => raftId)).size < reports.length) {
    throw new RefusedError('two reports are of one node: give each survivor’s newest one')
  }
}

function isFurther(one: SurvivorReport, other: SurvivorReport): boolean {
  if (one.lastTerm !== other.lastTerm) return one.lastTerm > other.lastTerm
  if (one.lastIndex !== other.lastIndex) return one.lastIndex > other.lastIndex
  return one.name < other.name
}

function sentences(best: SurvivorReport, lost: readonly Member[]): string[] {
  const { name, lastIndex, lastTerm, commit } = best
  const names = lost.map((member) => member.name).join(', ')
  const after = `after index ${lastIndex} of term ${lastTerm}: ${names} may have acknowledged more to clients that no survivor has`
  const kept = `kept are also the entries ${commit + 1} to ${lastIndex}, which ${name} did not know to be on a majority: some may never have been acknowledged`
  return lastIndex > commit ? [after, kept] : [after]
}

const renamed = ({ clusterId, epoch }: ReturnType<typeof newIdentity>) => ({
  newClusterId: clusterId,
  newEpoch: epoch,
})
