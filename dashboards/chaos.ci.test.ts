import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { lacking } from '../chaos/processes/requirements.ts'
import { CHAOS } from './chaos-dashboard.ts'
import { scoped } from './dashboard.ts'
import { RealPrometheus } from './real-prometheus.ts'

const CLI = new URL('../cli/main.ts', import.meta.url).pathname
const SHIPPED = new URL('prometheus/drill.yml', import.meta.url)
const PATIENCE = { timeout: 90_000, interval: 500 }

const QUERIES = CHAOS.rows.flatMap(({ panels }) =>
  panels.flatMap(({ title, queries }) =>
    queries.map(([expression]) => ({
      title,
      expression: scoped(expression)
        .replaceAll('$__rate_interval', '20s')
        .replaceAll('$cluster', 'drill')
        .replaceAll('$instance', '.+'),
    })),
  ),
)

describe.skipIf(lacking('prometheus'))('a drill that somebody runs, and a real Prometheus', () => {
  let directory: string
  let drill: ChildProcess
  let said = ''
  let told = ''
  let prometheus: RealPrometheus

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'parley-chaos-'))
    // Longer than it takes to scrape.
    const words = ['kill-leader', '--rounds', '3', '--hold', '3s', '--senders', '4', '--json']
    drill = spawn(
      process.execPath,
      [CLI, 'drill', 'run', ...words, '--metrics-port', '0', '--linger', '10m'],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    drill.stderr!.on('data', (chunk) => (said += String(chunk)))
    drill.stdout!.on('data', (chunk) => (told += String(chunk)))
    const address = await vi.waitFor(() => {
      const [, found] = /(127\.0\.0\.1:\d+)\/metrics/.exec(said) ?? []
      if (found === undefined) throw new Error(`the drill serves nothing: ${said}`)
      return found
    }, PATIENCE)
    const shipped = await readFile(SHIPPED, 'utf8')
    if (!shipped.includes('127.0.0.1:7409')) throw new Error('drill.yml names another port')
    prometheus = await RealPrometheus.run(directory, shipped.replace('127.0.0.1:7409', address))
  })
  afterAll(async () => {
    await prometheus?.close()
    if (drill?.exitCode === null && drill.signalCode === null) {
      const ended = once(drill, 'exit')
      drill.kill('SIGTERM')
      await ended
    }
    await rm(directory, { recursive: true, force: true })
  })

  test('[OE6] every panel of it shows something while nodes are killed, and the verdict after', async () => {
    const answered = new Set<string>()
    // A quantile of no round so far is no number yet.
    await vi.waitFor(async () => {
      for (const { title, expression } of QUERIES) {
        const samples = await prometheus.query(expression)
        if (samples.some(({ value: [, number] }) => !Number.isNaN(Number(number)))) {
          answered.add(title)
        }
      }
      expect(QUERIES.filter(({ title }) => !answered.has(title))).toEqual([])
      const [verdict] = await prometheus.query('parley_chaos_verdict')
      expect(verdict?.value[1]).toBe('1')
    }, PATIENCE)
    const value = async (expression: string) =>
      Number((await prometheus.query(expression))[0]?.value[1])
    // What was seen in between is in Prometheus still. A scrape that a busy machine held up shows nothing.
    await vi.waitFor(async () => {
      expect(await value('sum(parley_chaos_faults_total{fault="kill"})')).toBe(3)
      expect(await value('max(max_over_time(parley_chaos_fault_active[10m]))')).toBe(1)
      expect(await value('min(min_over_time(up{job="parley"}[10m]))')).toBe(0)
      expect(await value('sum(parley_chaos_fault_active)')).toBe(0)
      expect(await value('sum(parley_chaos_violations)')).toBe(0)
      expect(await value('sum(parley_chaos_new_leader_seconds_count)')).toBe(3)
    }, PATIENCE)
    await vi.waitFor(() => expect(told).toContain('\n'), PATIENCE)
    const report = JSON.parse(told) as { verdict: string; written: number; acknowledged: number }
    expect(report).toMatchObject({ schema: 1, drill: 'kill-leader', verdict: 'passed', rounds: 3 })
    expect(report.acknowledged).toBe(report.written)
    const acknowledged = 'parley_chaos_messages_total{state="acknowledged"}'
    await vi.waitFor(async () => {
      expect(await value(acknowledged)).toBe(report.written)
    }, PATIENCE)
    drill.kill('SIGTERM')
    expect(await once(drill, 'exit')).toEqual([0, null])
  })
})
