import { setTimeout as sleep } from 'node:timers/promises'
import type { Violation } from '../history/history.ts'
import { runDrill } from '../processes/kill-drill.ts'
import type { ProcessCluster } from '../processes/process-cluster.ts'
import type { DrillMetrics } from './drill-metrics.ts'
import { BrokenCluster } from './broken-cluster.ts'
import { type Drill, type DrillStep, isFault } from './drill.ts'

export interface NamedDrillOptions {
  readonly drill: Drill
  /** Healthy, and nobody else's. */
  readonly cluster: ProcessCluster
  readonly rounds: number
  readonly senders: number
  /** How long what is broken is left as it is at least, once sends go on if they can, in ms. */
  readonly holdMs: number
  readonly metrics: DrillMetrics
  /** Told what happens, as it happens. */
  readonly say: (line: string) => void
  /** It ends after the round that is under way. */
  readonly signal: AbortSignal
}

export interface NamedDrillReport {
  readonly violations: readonly Violation[]
  /** Rounds that were done whole. */
  readonly rounds: number
  /** Messages, each once. */
  readonly written: number
  readonly acknowledged: number
  /** Copies of messages that were answered already; each has to get the first answer. */
  readonly copies: number
  /** From the harm to another leader, ms; empty where none was needed. */
  readonly newLeaderMs: readonly number[]
  /** From the harm to the next message that was told to be sent, ms. */
  readonly recoveriesMs: readonly number[]
  /** Longest time in which one sender was told nothing, ms. */
  readonly longestGapMs: number
}

/** Between two rounds, for the load to be itself again. */
const BREATH_MS = 500
const THINK_MS = 20
const NEW_LEADER_MS = 30_000

/** Breaks a cluster under load, step by step, again and again, and judges what clients saw of it. */
export async function runNamedDrill(options: NamedDrillOptions): Promise<NamedDrillReport> {
  const { drill, cluster, senders, metrics, signal } = options
  const times = { newLeaderMs: [] as number[], recoveriesMs: [] as number[] }
  let rounds = 0
  const report = await runDrill({
    cluster,
    senders,
    conversations: Math.max(1, Math.ceil(senders / 2)),
    thinkMs: THINK_MS,
    onHistory: (history) => metrics.follow(history),
    harm: async ({ recovered }) => {
      const broken = new BrokenCluster(cluster)
      metrics.watch(broken)
      while (rounds < options.rounds && !signal.aborted) {
        await cluster.healthy()
        const title = `round ${rounds + 1}`
        for (const step of drill.steps) {
          await perform(step, { ...options, broken, recovered, times, title })
        }
        await broken.mend()
        await cluster.healthy()
        rounds += 1
        await sleep(BREATH_MS, undefined, { signal }).catch(() => {})
      }
    },
  })
  metrics.judged(report.violations)
  const { violations, sent: written, acknowledged, repeats: copies, longestGapMs } = report
  return { violations, rounds, written, acknowledged, copies, ...times, longestGapMs }
}

interface Round extends NamedDrillOptions {
  readonly broken: BrokenCluster
  /** Resolves once something more is acknowledged. */
  readonly recovered: () => Promise<void>
  readonly times: { readonly newLeaderMs: number[]; readonly recoveriesMs: number[] }
  /** Which round it is, for people. */
  readonly title: string
}

/** Does a step, waits until sends go on where a majority is left, and leaves it so for a while. */
async function perform(
  step: DrillStep,
  { cluster, broken, recovered, metrics, times, title, say, signal, holdMs }: Round,
): Promise<void> {
  const couldLead = broken.hasMajority
  const { leader, term } = couldLead ? await leaderOf(cluster, broken) : { leader: null, term: 0 }
  const from = performance.now()
  const nodes = await broken.perform(step, leader)
  const told = [`${title}: ${step.do} ${nodes.join(', ')}`]
  if (isFault(step)) nodes.forEach(() => metrics.harmed(step.do))
  if (broken.hasMajority) {
    if (leader !== null && !broken.reachesMajority(leader)) {
      const next = await newLeader(cluster, leader, term)
      const tookMs = performance.now() - from
      times.newLeaderMs.push(tookMs)
      metrics.newLeader(tookMs)
      told.push(`${next} leads after ${tookMs.toFixed(0)} ms`)
    }
    if (isFault(step) || !couldLead) {
      await recovered()
      const tookMs = performance.now() - from
      times.recoveriesMs.push(tookMs)
      metrics.recovered(tookMs)
      told.push(`sends go on after ${tookMs.toFixed(0)} ms`)
    }
    if (broken.isWhole) await cluster.healthy()
  } else if (couldLead) told.push('no majority is left: nothing can be sent')
  say(told.join(' · '))
  const leastMs = isFault(step) ? holdMs : 0
  await sleep(Math.max(step.holdMs ?? 0, leastMs), undefined, { signal }).catch(() => {})
}

/** Who leads, of those that can. */
async function leaderOf(
  cluster: ProcessCluster,
  broken: BrokenCluster,
): Promise<{ readonly leader: string; readonly term: number }> {
  const able = cluster.nodes.filter(({ name }) => broken.reachesMajority(name))
  const deadline = performance.now() + NEW_LEADER_MS
  for (;;) {
    const states = await Promise.all(able.map(({ name }) => cluster.state(name)))
    const leads = states
      .filter((state) => state !== null && state.leader === state.node)
      .sort((a, b) => b!.term - a!.term)[0]
    if (leads) return { leader: leads.node, term: leads.term }
    if (performance.now() > deadline) throw new Error(`no node leads after ${NEW_LEADER_MS} ms`)
    await sleep(10)
  }
}

/** Who leads by its own word in a later term. The old one is not asked: it may be frozen. */
async function newLeader(cluster: ProcessCluster, old: string, term: number): Promise<string> {
  const deadline = performance.now() + NEW_LEADER_MS
  const others = cluster.nodes.filter(({ name }) => name !== old)
  for (;;) {
    const states = await Promise.all(others.map(({ name }) => cluster.state(name)))
    const leads = states.find(
      (state) => state !== null && state.leader === state.node && state.term > term,
    )
    if (leads) return leads.node
    if (performance.now() > deadline) {
      throw new Error(`no other node leads ${NEW_LEADER_MS} ms after harm was done to ${old}`)
    }
    await sleep(10)
  }
}
