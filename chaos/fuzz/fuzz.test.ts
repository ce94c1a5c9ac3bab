import { expect, test } from 'vitest'
import { capture } from './capture.ts'
import { fuzzTarget, inputOf } from './fuzz-target.ts'
import { judgeInput } from './judge-input.ts'
import { REGRESSIONS } from './regressions.ts'
import { runFuzz } from './run-fuzz.ts'
import type { Target } from './target.ts'
import { TARGETS } from './targets/index.ts'

/** The long form sets more. */
const INPUTS = Number(process.env['PARLEY_DRILL_INPUTS'] ?? 60_000)
const PATIENCE_MS = 240_000

test(
  '[F1][F2][F3] no input gets through',
  async () => {
    const done = await runFuzz({ seed: 1, inputs: INPUTS })
    expect(done.flatMap(({ failure }) => failure ?? [])).toEqual([])
    expect(done.map(({ name }) => name)).toEqual(TARGETS.map(({ name }) => name))
    for (const { name, tally } of done) {
      // One that takes nothing, or refuses nothing, is not attacked where it could fail.
      expect(tally.accepted, name).toBeGreaterThan(0)
      expect(tally.rejected, name).toBeGreaterThan(0)
    }
  },
  PATIENCE_MS,
)

test(
  '[F1][F2] what got through once does not again',
  async () => {
    const captured = await capture()
    for (const { target, story, bytes } of REGRESSIONS) {
      const entry = TARGETS.find(({ name }) => name === target)!
      await expect(
        judgeInput(await entry.open(captured), bytes).catch((error: unknown) => error),
        story,
      ).resolves.not.toBeInstanceOf(Error)
    }
  },
  PATIENCE_MS,
)

const targetOf = (judge: Target['judge']): Target => ({
  make: (random) => random.bytes(8),
  judge,
})

test.each<[string, Target['judge'], RegExp]>([
  [
    'throws what is not its own',
    () => {
      throw new TypeError('cannot read properties of undefined')
    },
    /cannot read properties/,
  ],
  [
    'takes too long',
    () => {
      const before = process.threadCpuUsage().user
      while (process.threadCpuUsage().user < before + 80_000) Math.sqrt(before)
      return null
    },
    /kept it busy for/,
  ],
  ['allocates what it is told to', () => String(new Uint8Array(4 << 20)[0]), /allocate/],
  [
    'leaves something behind in every object',
    () => {
      Object.defineProperty(Object.prototype, 'left', {
        value: 1,
        writable: true,
        enumerable: true,
        configurable: true,
      })
      return null
    },
    /every object has a key left/,
  ],
])('[F1][F2] a decoder that %s is found', async (_, judge, message) => {
  try {
    await expect(judgeInput(targetOf(judge), new Uint8Array(8))).rejects.toThrow(message)
  } finally {
    Reflect.deleteProperty(Object.prototype, 'left')
  }
})

test('[F1] a failure names an input that makes itself again, and the shortest that fails alike', async () => {
  const target: Target = {
    make: (random) => random.bytes(50),
    judge: (bytes) => {
      if (bytes.includes(7) && bytes.length >= 3) throw new RangeError('seven')
      return null
    },
  }
  const range = { seed: 3, from: 0, to: 1_000, before: () => undefined }
  const { failure } = await fuzzTarget({ target, name: 'sevens', ...range })
  expect(failure).toMatchObject({ target: 'sevens', bytes: 3 })
  expect(failure!.hex).toContain('07')
  expect(inputOf(target, 'sevens', 3, failure!.number)).toContain(7)
})
