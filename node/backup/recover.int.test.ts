import { cp, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { NO_ONE, SegmentLog } from '#cluster'
import { batch, message } from '../state-machine/testing.ts'
import { type TemporaryFolder, temporaryFolder } from '../store/temporary-folder.ts'
import { EndingFileSystem } from './ending-file-system.ts'
import { recover } from './recover.ts'
import { planRecovery } from './recovery-plan.ts'
import { openSurvivor } from './survivor.ts'
import {
  close,
  open,
  realPorts,
  restored,
  sampleBackup,
  sampleMachine,
  targetsIn,
} from './testing.ts'

let folder: TemporaryFolder
let survivor: string
/** Where its log ends: with five entries that nobody knew to be committed. */
let end: number
beforeEach(async () => {
  folder = await temporaryFolder()
  const targets = targetsIn(folder.path, ['n1', 'n2', 'n3'])
  const { index } = await restored(await sampleBackup(await sampleMachine(40)), targets)
  survivor = targets[0]!.directory
  end = index + 5
  const log = await SegmentLog.open({ ...realPorts(), directory: `${survivor}/log` })
  const entries = [1, 2, 3, 4, 5].map((n) => {
    const command = message({ user: 'late', to: 'bob', msgId: `late${n}`, body: `late ${n}` })
    return { ...batch(index + n, 1_000 + n, [command]), term: 3 }
  })
  await new Promise<void>((resolve, reject) => {
    const hardState = { term: 4, vote: NO_ONE, commit: index + 2 }
    const done = (error: Error | null) => (error === null ? resolve() : reject(error))
    log.append({ hardState, entries, snapshot: null }, done)
  })
  await log.close()
})
afterEach(() => folder.remove())

async function planned() {
  const opened = await openSurvivor(realPorts(), survivor)
  await opened.close()
  const { report } = opened
  expect(report).toMatchObject({ name: 'n1', lastIndex: end, lastTerm: 3, commit: end - 3 })
  expect(report).toMatchObject({ applied: end - 5, store: 'whole', term: 4 })
  return planRecovery([report], realPorts().random)
}

/** What the node is that starts with the directory. */
async function look(directory: string) {
  const data = await open({ ...targetsIn(folder.path, ['n1'])[0]!, directory })
  const { log, stateMachine } = data
  const { feedHead } = stateMachine.reader
  const { voters } = log.formation!.configuration
  const view = {
    clusterId: log.formation!.clusterId,
    epoch: log.formation!.epoch,
    applied: stateMachine.appliedIndex,
    last: log.lastIndex(),
    isVoter: voters.some(({ id }) => id === log.raftId),
    voters: voters.length,
    events: feedHead,
    raftId: log.raftId,
  }
  await close(data)
  return view
}

test('[BK9] [BK10] everything the survivor had is in the new cluster of one', async () => {
  const before = await look(survivor)
  const plan = await planned()
  const { index, undo } = await recover(realPorts(), survivor, plan)
  expect(index).toBe(end + 1)
  const now = await look(survivor)
  expect(now).toMatchObject({
    ...{ clusterId: plan.newClusterId, epoch: plan.newEpoch, voters: 1, isVoter: true },
    ...{ applied: index, last: index, events: before.events + 5 },
  })
  expect(now.raftId).not.toBe(before.raftId)
  expect((await readdir(undo)).sort()).toEqual(['log', 'node.json', 'store'])
  expect(await look(undo)).toEqual(before)
  // Once more is no second recovery.
  expect(await recover(realPorts(), survivor, plan)).toEqual({ index, undo })
  expect(await look(survivor)).toEqual(now)
})

test('[BK9] a plan is for the directory as it was, and no other', async () => {
  const plan = await planned()
  const other = join(folder.path, 'n2')
  await expect(recover(realPorts(), other, plan)).rejects.toThrow('the plan is for n1')
  const { chosen } = plan
  const older = { ...plan, chosen: { ...chosen, lastIndex: end - 1 } }
  await expect(recover(realPorts(), survivor, older)).rejects.toThrow('it has run since')
  await expect(openSurvivor(realPorts(), folder.path)).rejects.toThrow('holds no log')
  expect(await readdir(survivor)).toEqual(['log', 'node.json', 'store'])
})

test('[BK6] ended anywhere, the directory is the old node or the new one', async () => {
  const plan = await planned()
  const before = await look(survivor)
  const copy = async (name: string) => {
    const directory = join(folder.path, name)
    await cp(survivor, directory, { recursive: true })
    return directory
  }
  const whole = new EndingFileSystem(Infinity)
  await recover(realPorts(whole), await copy('whole'), plan)
  const outcomes = new Set<string>()
  const ends = Array.from({ length: whole.operations }, (_, at) => at)
  for (const last of ends.filter((at) => at % 30 === 0 || at > whole.operations - 20)) {
    const directory = await copy(`m${last}`)
    const ending = realPorts(new EndingFileSystem(last))
    await expect(recover(ending, directory, plan)).rejects.toThrow('the process ended')
    const { epoch, events, applied } = await look(directory)
    if (epoch === plan.newEpoch) expect([events, applied]).toEqual([before.events + 5, end + 1])
    else expect([epoch, events, applied]).toEqual([before.epoch, before.events, before.applied])
    const outcome = epoch === plan.newEpoch ? 'new' : 'old'
    if (outcomes.has(outcome)) continue
    outcomes.add(outcome)
    // Elsewhere: the process that is played here still holds its databases.
    const again = `${directory}-again`
    const filter = (path: string) => !path.includes('/prepared')
    await cp(directory, again, { recursive: true, filter })
    await recover(realPorts(), again, plan)
    expect(await look(again)).toMatchObject({ epoch: plan.newEpoch, events: before.events + 5 })
  }
  expect([...outcomes]).toEqual(['old', 'new'])
})
