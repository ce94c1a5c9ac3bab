import { expect, test } from 'vitest'
import { ApplyQueue } from './apply-queue.ts'
import { HistogramCell } from './cells.ts'
import { NO_FAILPOINTS } from './failpoints.ts'
import type { Clock } from './ports.ts'
import { type Entry, EntryType } from './raft/types.ts'
import type { StateMachine } from './state-machine.ts'

function entry(index: number): Entry {
  return { index, term: 1, type: EntryType.normal, data: new Uint8Array() }
}

function setUp() {
  let nowMs = 0
  const applied: number[] = []
  const loads: (() => void)[] = []
  const queue = new ApplyQueue({
    clock: { monotonicMs: () => nowMs } as Clock,
    stateMachine: {
      prefetch: () => new Promise<void>((resolve) => loads.push(resolve)),
      apply: ({ index }: Entry) => applied.push(index),
    } as unknown as StateMachine,
    failpoints: NO_FAILPOINTS,
    delay: new HistogramCell(),
    onApplied: () => {},
    onError: (error) => {
      throw error
    },
  })
  const load = async () => {
    loads.shift()!()
    await Promise.resolve()
    await Promise.resolve()
  }
  return { queue, applied, load, advance: (ms: number) => (nowMs += ms) }
}

test('[K3] the entry that is next says for how long it has waited', async () => {
  const { queue, applied, load, advance } = setUp()
  expect(queue.lagMs).toBe(0)
  queue.push([entry(1), entry(2)])
  queue.run()
  advance(300)
  queue.push([entry(3)])
  advance(400)
  expect(queue.lagMs).toBe(700)
  await load()
  await load()
  expect(applied).toEqual([1, 2])
  expect(queue.lagMs).toBe(400)
  await load()
  expect(applied).toEqual([1, 2, 3])
  expect(queue.lagMs).toBe(0)
})

test('[K6] what a snapshot covers is not applied again, the rest keeps its age', async () => {
  const { queue, applied, load, advance } = setUp()
  queue.push([entry(1), entry(2)])
  advance(100)
  queue.push([entry(3)])
  queue.run()
  const quiet = queue.pause()
  await load()
  await quiet
  queue.resume(2)
  advance(50)
  expect(queue.lagMs).toBe(50)
  await load()
  expect(applied).toEqual([3])
  queue.push([entry(4)])
  void queue.pause()
  queue.resume(4)
  expect(queue.lagMs).toBe(0)
})
