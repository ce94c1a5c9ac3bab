import type { ForeignCaller } from '#cluster'
import { expect, test } from 'vitest'
import { ForeignDirectory } from './foreign-directory.ts'
import { ManualClock } from './gateway/testing/manual-clock.ts'
import { RecordingLogger } from './gateway/testing/recording-logger.ts'

const [OURS, THEIRS] = ['a', 'b'].map((digit) => digit.repeat(32)) as [string, string]

/** A node of some initial members, whom `callers` dial. */
function node(size: number) {
  const clock = new ManualClock()
  const world = { callers: [] as ForeignCaller[], clusterId: OURS as string | null }
  const changes: boolean[] = []
  const foreign = new ForeignDirectory({
    clock,
    logger: new RecordingLogger(),
    name: 'n3',
    initialMembers: Array.from({ length: size }, (_, at) => {
      const name = `n${at + 1}`
      return { name, peerAddress: `${name}:7500`, clientUrl: `http://${name}:7400` }
    }),
    clusterId: () => world.clusterId,
    callers: () => world.callers,
    onChange: (isForeign) => changes.push(isForeign),
  })
  const dialledBy = (...names: string[]) => {
    world.callers = names.map((name) => ({ name, clusterId: THEIRS }))
    foreign.look()
  }
  return { clock, world, changes, foreign, dialledBy }
}

test('[K1] serves nobody while a majority of its fellows is of another cluster, and again after that', async () => {
  const { clock, world, changes, foreign, dialledBy } = node(3)
  dialledBy('n1')
  expect(foreign.reason).toBeNull()
  dialledBy('n1', 'n2')
  expect(foreign.reason).toMatch(
    new RegExp(
      `^n1 and n2 are of cluster ${THEIRS}, the data directory of n3 is of ${OURS}: start n3`,
    ),
  )
  dialledBy('n2', 'n1')
  await clock.advance(10_000)
  expect(changes).toEqual([true])
  world.callers = []
  await clock.advance(1_000)
  expect(foreign.reason).toBeNull()
  expect(changes).toEqual([true, false])
  dialledBy('n1', 'n2')
  expect(changes).toEqual([true, false, true])
})

test('[K1] what others than its fellows say, or fewer than a majority, changes nothing', () => {
  const three = node(3)
  three.dialledBy('n8', 'n9', 'n3')
  expect(three.foreign.reason).toBeNull()
  const five = node(5)
  five.dialledBy('n1', 'n2')
  expect(five.foreign.reason).toBeNull()
  five.dialledBy('n1', 'n2', 'n4')
  expect(five.foreign.reason).not.toBeNull()
  // Of two neither is more right than the other.
  const two = node(2)
  two.dialledBy('n1')
  expect(two.foreign.reason).toBeNull()
  const empty = node(3)
  empty.world.clusterId = null
  empty.dialledBy('n1', 'n2')
  expect(empty.foreign.reason).toBeNull()
})
