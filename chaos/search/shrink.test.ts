import { describe, expect, test } from 'vitest'
import { runScenario } from '../simulation/run-seed.ts'
import { drawScenario, type Scenario } from '../simulation/scenario.ts'
import type { SimWorld } from '../simulation/sim-world.ts'
import { shrink } from './shrink.ts'

const never = () => false

/** Judges by what the scenario says, without running it: shows what is kept and what goes. */
function judge(needs: (scenario: Scenario) => boolean) {
  return (scenario: Scenario) =>
    Promise.resolve({
      violation: needs(scenario) ? { property: 'P1', message: 'lost' } : null,
      brokenForMs: scenario.safetyMs,
    })
}

describe('shrink', () => {
  test('keeps what the violation needs and nothing else', async () => {
    const before = drawScenario(2, 30_000, { nodes: 5, faults: ['kill', 'pause', 'reset'] })
    const kill = before.faults.findLast(({ kind }) => kind === 'kill')!
    const pause = before.faults.find(({ kind }) => kind === 'pause')!
    const sends = before.operations.filter(({ kind }) => kind === 'send')
    const pair = [sends[10]!, sends.find(({ device }) => device !== sends[10]!.device)!]
    const bodies = (scenario: Scenario) => scenario.operations.map(({ device }) => device)
    const { scenario, isSmallest } = await shrink({
      scenario: before,
      property: 'P1',
      run: judge(
        (one) =>
          one.nodes >= 3 &&
          one.faults.some(({ kind }) => kind === 'kill') &&
          one.faults.some(({ kind }) => kind === 'pause') &&
          pair.every(({ device }) => bodies(one).includes(device)),
      ),
      isOver: never,
    })
    expect([kill, pause]).not.toContain(undefined)
    expect(isSmallest).toBe(true)
    expect(scenario!.faults.map(({ kind }) => kind).toSorted()).toEqual(['kill', 'pause'])
    expect(bodies(scenario!).toSorted()).toEqual(pair.map(({ device }) => device).toSorted())
    expect(scenario!.devices).toHaveLength(2)
    expect(scenario!.nodes).toBe(3)
    expect(scenario!.safetyMs).toBeLessThan(200)
  })

  test('another violation is not this one', async () => {
    const before = drawScenario(1, 30_000)
    const { scenario, runs } = await shrink({
      scenario: before,
      property: 'P3',
      run: judge(() => true),
      isOver: never,
    })
    expect(scenario).toBeNull()
    expect(runs).toBe(1)
  })

  test('stops when the time is up, with what it has', async () => {
    const before = drawScenario(2, 30_000)
    let left = 20
    const result = await shrink({
      scenario: before,
      property: 'P1',
      run: judge(({ operations }) => operations.length > 0),
      isOver: () => --left < 0,
    })
    expect(result.isSmallest).toBe(false)
    expect(result.runs).toBeLessThanOrEqual(21)
    expect(result.scenario!.faults).toEqual([])
    expect(result.scenario!.operations.length).toBeLessThan(before.operations.length)
  })

  test('a bug of a real run is left with what it takes', async () => {
    const safetyMs = 6_000
    const run = (scenario: Scenario) => runScenario(scenario, { prepare: forgetNames })
    for (let seed = 1; seed <= 10; seed++) {
      const before = drawScenario(seed, safetyMs, {
        nodes: 3,
        devices: 4,
        faultEveryMs: 300,
        faults: ['kill', 'power', 'powerAll', 'pause', 'reset', 'isolate', 'slowDisk'],
      })
      const { violation } = await run(before)
      if (violation === null) continue
      let runs = 0
      const { scenario } = await shrink({
        scenario: before,
        property: violation.property,
        run,
        isOver: () => ++runs > 150,
      })
      const { faults, operations } = scenario!
      console.info(
        `seed ${seed}, ${violation.property}: ${before.faults.length} faults, ${before.operations.length} ops → ${faults.length} faults, ${operations.length} ops, ${scenario!.nodes} nodes`,
      )
      // Without a loss of power nothing forgets a name.
      const all = [...faults, ...(scenario!.forming ?? [])]
      expect(all.some(({ kind }) => kind === 'power' || kind === 'powerAll')).toBe(true)
      expect(faults.length).toBeLessThanOrEqual(3)
      expect(operations.length).toBeLessThanOrEqual(5)
      expect((await run(scenario!)).violation?.property).toBe(violation.property)
      expect((await runScenario(scenario!)).violation).toBeNull()
      return
    }
    expect.fail('no seed met the bug')
  })
})

/** The names of files are never synced, though every node believes it. */
function forgetNames(world: SimWorld): void {
  for (const { platter } of world.nodes) {
    const portOf = platter.portOf.bind(platter)
    platter.portOf = (process) => ({ ...portOf(process), syncDirectory: () => Promise.resolve() })
  }
}
