import { setTimeout as sleep } from 'node:timers/promises'
import type { Violation } from '../history/history.ts'
import { runDrill } from '../processes/kill-drill.ts'
import type { ProcessCluster } from '../processes/process-cluster.ts'
import type { DrillMetrics } from './drill-metrics.ts'
import type { NamedDrill } from './named-drill.ts'

export interface NamedDrillOptions {
  readonly drill: NamedDrill
  /** Healthy, and nobody else's. */
  readonly cluster: ProcessCluster
  readonly rounds: number
  readonly senders: number
  /** How long the node is left as it is once sends go on, in ms. */
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

/** Does one harm again and again to a cluster under load, and judges what clients saw of it. */
export async function runNamedDrill(options: NamedDrillOptions): Promise<NamedDrillReport> {
  const { drill, cluster, senders, holdMs, metrics, say, signal } = options
  const newLeaderMs: number[] = []
  const recoveriesMs: number[] = []
  let rounds = 0
  const report = await runDrill({
    cluster,
    senders,
    conversations: Math.max(1, Math.ceil(senders / 2)),
    thinkMs: THINK_MS,
    onHistory: (history) => metrics.follow(history),
    harm: async ({ recovered }) => {
      while (rounds < options.rounds && !signal.aborted) {
        const leader = await cluster.healthy()
        const node = drill.victim === 'leader' ? leader : followerOf(cluster, leader)
        const { term } = (await cluster.state(leader)) ?? { term: 0 }
        const from = performance.now()
        metrics.harmed(node, drill.fault)
        await drill.harm(cluster, node)
        const told = [`round ${rounds + 1}: ${drill.fault} ${node}`]
        if (node === leader) {
          const next = await newLeader(cluster, leader, term)
          newLeaderMs.push(performance.now() - from)
          metrics.newLeader(newLeaderMs.at(-1)!)
          told.push(`${next} leads after ${newLeaderMs.at(-1)!.toFixed(0)} ms`)
        }
        await recovered()
        const recoveryMs = performance.now() - from
        recoveriesMs.push(recoveryMs)
        metrics.recovered(recoveryMs)
        told.push(`sends go on after ${recoveryMs.toFixed(0)} ms`)
        await sleep(holdMs, undefined, { signal }).catch(() => {})
        await drill.mend(cluster, node)
        await cluster.healthy()
        metrics.mended(node)
        rounds += 1
        say(told.join(' · '))
        await sleep(BREATH_MS, undefined, { signal }).catch(() => {})
      }
    },
  })
  metrics.judged(report.violations)
  const { violations, sent: written, acknowledged, repeats: copies } = report
  return {
    ...{ violations, rounds, written, acknowledged, copies, newLeaderMs, recoveriesMs },
    longestGapMs: report.longestGapMs,
  }
}

/** Another one each time, by chance. */
function followerOf(cluster: ProcessCluster, leader: string): string {
  const followers = cluster.nodes.filter(({ name }) => name !== leader)
  return followers[Math.floor(Math.random() * followers.length)]!.name
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
