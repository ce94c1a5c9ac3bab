// How late a survivor notices that the others are gone, whoever led and however they went.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ProcessCluster } from './process-cluster.ts'

const POLL_MS = 20
/** What `/readyz` promises. */
const LATEST_MS = 2_000
const ROUNDS = 2

let cluster: ProcessCluster
beforeAll(async () => {
  cluster = await ProcessCluster.started(3)
})
afterAll(() => cluster.close())

interface Noticed {
  /** From the first of the two signals to the first answer that was 503. */
  readonly afterMs: number
  /** The longest time in which this machine let no answer through: nobody could notice within it. */
  readonly stallMs: number
  readonly text: string
  /** Slowest answer. */
  readonly answerMs: number
}

async function lose(survivor: string, signal: 'SIGKILL' | 'SIGSTOP'): Promise<Noticed> {
  const { url } = cluster.node(survivor)
  const others = cluster.nodes.filter(({ name }) => name !== survivor)
  const startMs = performance.now()
  for (const { process } of others) process?.kill(signal)
  let stallMs = 0
  let answerMs = 0
  for (let lastMs = startMs; ;) {
    const askedMs = performance.now()
    const ready = await fetch(`${url}/readyz`)
    const text = await ready.text()
    const nowMs = performance.now()
    answerMs = Math.max(answerMs, nowMs - askedMs)
    stallMs = Math.max(stallMs, nowMs - lastMs - POLL_MS)
    lastMs = nowMs
    if (ready.status === 503) return { afterMs: nowMs - startMs, stallMs, text, answerMs }
    if (nowMs - startMs > 30_000) throw new Error(`still ready: ${text}`)
    await sleep(POLL_MS)
  }
}

async function recover(signal: 'SIGKILL' | 'SIGSTOP'): Promise<void> {
  for (const node of cluster.nodes) {
    if (signal === 'SIGSTOP') node.process?.kill('SIGCONT')
    else if (node.process === null || node.process.killed) {
      await cluster.ended(node.name)
      await cluster.start(node.name)
    }
  }
  await cluster.healthy()
}

test.each([
  ['SIGKILL', 'leader'],
  ['SIGKILL', 'follower'],
  ['SIGSTOP', 'leader'],
  ['SIGSTOP', 'follower'],
] as const)(
  '[AD1] [AD2] two of three go by %s: the surviving %s says so within two seconds, and lives',
  async (signal, role) => {
    const rounds: Noticed[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const leader = await cluster.healthy()
      const survivor =
        role === 'leader' ? leader : cluster.nodes.find(({ name }) => name !== leader)!.name
      try {
        rounds.push(await lose(survivor, signal))
        const { url } = cluster.node(survivor)
        expect((await fetch(`${url}/livez`)).status).toBe(200)
        const more = await fetch(`${url}/readyz`, { headers: { accept: 'application/json' } })
        const { checks } = (await more.json()) as { checks: { name: string; ok: boolean }[] }
        expect(checks.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual(['quorum'])
      } finally {
        await recover(signal)
      }
    }
    const shown = rounds.map(({ afterMs, answerMs, text }) => {
      return `${afterMs.toFixed(0)} ms (answers within ${answerMs.toFixed(0)} ms): ${text.trim().replaceAll('\n', ' ')}`
    })
    console.log(`${signal}, ${role} survives: ${shown.join('; ')}`)
    for (const { afterMs, stallMs, text } of rounds) {
      expect(text).toMatch(/\[-\]quorum: (no leader|a majority of the voters was not heard) for \d/)
      expect(afterMs).toBeLessThan(LATEST_MS + stallMs)
    }
  },
  120_000,
)
