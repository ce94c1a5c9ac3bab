import { expect, test } from 'vitest'
import { ManualClock } from '../testing/manual-clock.ts'
import { ForeignCallers } from './foreign-callers.ts'
import { PEER_PROTOCOL } from './peer-hello.ts'

const hello = (name: string, clusterId: string) => ({
  ...{ protocol: PEER_PROTOCOL, epoch: '', raftId: '0'.repeat(16), name, clusterId },
})

test('[K1] who is of another cluster is known for as long as he dials, and no more than there may be', () => {
  const clock = new ManualClock()
  const callers = new ForeignCallers(clock)
  callers.refused(hello('n1', 'b'))
  clock.advance(6_000)
  callers.refused(hello('n2', 'b'))
  expect(callers.list().map(({ name }) => name)).toEqual(['n1', 'n2'])
  clock.advance(6_000)
  expect(callers.list()).toEqual([{ name: 'n2', clusterId: 'b' }])
  callers.letIn(hello('n2', 'a'))
  expect(callers.list()).toEqual([])
  for (let at = 0; at < 1_000; at += 1) callers.refused(hello(`x${at}`, 'b'))
  expect(callers.list()).toHaveLength(64)
})
