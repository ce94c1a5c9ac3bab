import { expect, test } from 'vitest'
import { checkBackup } from '../../node/backup/read-backup.ts'
import { sampleBackup, sampleMachine } from '../../node/backup/testing.ts'
import { groupConversationId } from '../../node/state-machine/conversation-id.ts'
import { History } from '../history/history.ts'
import { RunRestore } from './run-restore.ts'
import { runSeed } from './run-seed.ts'
import { drawScenario } from './scenario.ts'

const quiet = { nodes: 1, devices: 2, conversations: 2, thinkMs: 40, faults: [] }

test('[R24] a backup of a run, restored, holds what was said and knows no mark of before', async () => {
  const swarm = { ...quiet, nodes: 3, restoreShare: 1 }
  const { violation, stats } = await runSeed({ seed: 1, safetyMs: 2_000, swarm })
  expect(violation).toBeNull()
  expect(stats.restored).toBeGreaterThan(10)
})

test('[R24] what it does not hold, or holds elsewhere, is noticed', async () => {
  const bytes = await sampleBackup(await sampleMachine())
  const { manifest } = await checkBackup(async function* () {
    yield bytes
  })
  const drawn = drawScenario(1, 1_000, quiet)
  const scenario = { ...drawn, devices: [{ ...drawn.devices[0]!, user: 'ann' }] }
  const conv = groupConversationId('ann', 'g')
  const restored = (head: number, msgId: string) => {
    const history = new History(() => 0)
    const event = { seq: 1, msgId, kind: 'create', from: 'ann', device: 'd', ord: 0, at: 0 }
    history.final({ node: 'n1', conv, events: [event as never] })
    const file = { manifest, pieces: [bytes], heads: new Map([[conv, head]]) }
    return new RunRestore(scenario, history, file).perform()
  }
  expect(await restored(1, 'g')).toBeNull()
  expect((await restored(2, 'g'))?.message).toMatch(/R24.* ends at 1/)
  expect((await restored(1, 'other'))?.message).toMatch(/R24.* not what stood there/)
})
