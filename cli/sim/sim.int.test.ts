import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test, vi } from 'vitest'

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url))
vi.setConfig({ testTimeout: 120_000 })
let child: ChildProcess
afterEach(() => child.kill('SIGKILL'))

interface Line {
  readonly event: string
  readonly [field: string]: unknown
}

/** Starts the command; `onLine` sees each document as it is printed. */
async function sim(args: readonly string[], onLine: (line: Line) => void = () => {}) {
  child = spawn(process.execPath, [MAIN, 'sim', '--json', ...args], { stdio: 'pipe' })
  const lines: Line[] = []
  const reader = createInterface({ input: child.stdout! }).on('line', (text) => {
    const line = JSON.parse(text) as Line
    lines.push(line)
    onLine(line)
  })
  const [[code]] = await Promise.all([once(child, 'exit'), once(reader, 'close')])
  return { lines, code: code as number | null }
}

test('seeds, one document each, and what they add up to', async () => {
  const { lines, code } = await sim([
    '--seed',
    '31',
    '--runs',
    '3',
    '--jobs',
    '2',
    '--length',
    '1s',
  ])
  expect(code).toBe(0)
  const runs = lines.filter(({ event }) => event === 'run')
  expect(runs.map(({ seed }) => Number(seed)).toSorted((a, b) => a - b)).toEqual([31, 32, 33])
  expect(lines.at(-1)).toMatchObject({ event: 'totals', seeds: 3, violations: 0 })
})

test('Ctrl-C ends it with the totals so far', async () => {
  const { lines, code } = await sim(['--time', '10m', '--length', '1s'], ({ event }) => {
    if (event === 'run') child.kill('SIGINT')
  })
  expect(code).toBe(0)
  expect(lines.at(-1)).toMatchObject({ event: 'totals', interrupted: true })
  expect(lines.at(-1)!['seeds']).toBeGreaterThanOrEqual(1)
})

test('without a single run nothing is proven', async () => {
  const { lines, code } = await sim(['--time', '0s'])
  expect(code).toBe(4)
  expect(lines).toMatchObject([{ event: 'totals', seeds: 0 }])
})
