import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { DRILLS } from './named-drills.ts'
import { DrillFileError, readDrill } from './drill-file.ts'

const drillOf = (...steps: unknown[]) => JSON.stringify({ summary: 'it', steps })
function faultsOf(text: string): readonly string[] {
  try {
    readDrill(text)
  } catch (error) {
    if (error instanceof DrillFileError) return error.faults
    throw error
  }
  throw new Error('the file was taken')
}

test('steps are those of the file, blocks as often as they say', () => {
  const kill = { do: 'kill', node: 'follower' }
  const block = { repeat: 2, steps: [kill, { do: 'start' }] }
  const cut = { do: 'partition', node: 'half', oneWay: true, hold: '1.5s' }
  expect(readDrill(drillOf(cut, { do: 'heal', node: 'n1' }, block))).toEqual({
    summary: 'it',
    steps: [
      { do: 'partition', node: 'half', oneWay: true, holdMs: 1_500 },
      { do: 'heal', node: 'n1' },
      ...[kill, { do: 'start' }, kill, { do: 'start' }],
    ],
  })
})

test('the file that comes along is a drill of its own', () => {
  const text = readFileSync(new URL('outage.json', import.meta.url), 'utf8')
  const { summary, steps } = readDrill(text)
  expect(Object.values(DRILLS).map((drill) => drill.summary)).not.toContain(summary)
  expect(steps).toHaveLength(12)
})

test.each<[string, unknown, string]>([
  ['no node', { do: 'kill' }, 'steps.0: kill needs a node'],
  ['a key that is not known', { do: 'start', hodl: '1s' }, 'steps.0: Unrecognized key: "hodl"'],
  ['no such verb', { do: 'burn', node: 'n1' }, 'steps.0.do: Invalid option'],
  [
    'no such node',
    { do: 'kill', node: 'n0' },
    'steps.0.node: must be leader, follower, half, or a name like n2',
  ],
  ['half of a kill', { do: 'kill', node: 'half' }, 'steps.0: half is for partition'],
  ['oneWay of a pause', { do: 'pause', node: 'n1', oneWay: true }, 'steps.0: oneWay is for'],
  [
    'start of the leader',
    { do: 'start', node: 'leader' },
    'steps.0: start takes a name like n2, or no node for all that it fits',
  ],
  [
    'a number for a duration',
    { do: 'kill', node: 'n1', hold: 5 },
    'steps.0.hold: Invalid input: expected string',
  ],
  [
    'no duration',
    { do: 'kill', node: 'n1', hold: '5 s' },
    'steps.0.hold: must be a duration like 250ms, 10s or 5m',
  ],
  ['too long', { do: 'kill', node: 'n1', hold: '2h' }, 'steps.0.hold: must be 1h at most'],
  [
    'a block in a block',
    { repeat: 2, steps: [{ repeat: 2, steps: [{ do: 'heal' }] }] },
    'steps.0.steps.0.do: Invalid option',
  ],
  ['no times', { repeat: 0, steps: [{ do: 'heal' }] }, 'steps.0.repeat: Too small'],
])('%s is refused, with where it stands', (_, step, fault) => {
  expect(faultsOf(drillOf(step))).toContainEqual(expect.stringContaining(fault))
})

test('what is no JSON, no drill, or too long is refused', () => {
  expect(faultsOf('{')[0]).toContain('it is not JSON')
  expect(faultsOf('[]')[0]).toContain('expected object')
  expect(faultsOf('{"summary":"it","steps":[]}')[0]).toContain('steps: Too small')
  const block = { repeat: 1_000, steps: [{ do: 'heal' }, { do: 'heal' }] }
  expect(faultsOf(drillOf(block))).toEqual(['it has 2000 steps; 1000 is the most'])
})
