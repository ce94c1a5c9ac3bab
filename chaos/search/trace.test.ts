import { expect, test } from 'vitest'
import { runSeed } from '../simulation/run-seed.ts'
import { traceWorld } from './trace.ts'

const options = { seed: 3, safetyMs: 3_000, swarm: { nodes: 3, faultEveryMs: 300 } }

test.for([
  ['messages', / n\d → n\d append .*term=\d+/],
  ['answers', / n\d → n\d appendResponse /],
  ['syncs', / n\d disk synced \/data\/log\//],
  ['roles', / n\d is leader of term \d+, log up to \d+/],
  ['deaths', / n\d (kill|powerCut)$/],
  ['faults', / nemesis \{"atMs":/],
  ['requests of clients', / device-1 → \{"t":"msg:R"/],
  ['answers to clients', / device-1 ← \{"t":"msg:A"/],
] as const)('a trace shows %s', async ([, pattern], { expect: expected }) => {
  expected((await traced).lines.some((line) => pattern.test(line))).toBe(true)
})

test('[R11] a traced run is the same run, and its lines are in order', async () => {
  const { lines, traceHash } = await traced
  expect((await runSeed(options)).traceHash).toBe(traceHash)
  const times = lines.map((line) => Number.parseFloat(line))
  expect(times).toEqual(times.toSorted((a, b) => a - b))
})

const traced = (async () => {
  const lines: string[] = []
  const prepare = (world: Parameters<typeof traceWorld>[0]) =>
    traceWorld(world, (line) => lines.push(line))
  const { traceHash } = await runSeed({ ...options, prepare })
  return { lines, traceHash }
})()
