import { setTimeout as sleep } from 'node:timers/promises'
import { check } from '../checkers/index.ts'
import { History, type Violation } from '../history/history.ts'
import { readFinal } from '../workload/read-final.ts'
import { Sender } from '../workload/sender.ts'
import { WireClient } from '../workload/wire-client.ts'
import type { ProcessCluster } from './process-cluster.ts'

export interface DrillReport {
  readonly violations: readonly Violation[]
  readonly sent: number
  readonly acknowledged: number
  readonly repeats: number
  readonly duplicatesAnswered: number
  /** Longest time between two acknowledgements of one sender, ms. */
  readonly longestGapMs: number
  /** From each fault to the next acknowledgement anywhere, ms. */
  readonly recoveriesMs: readonly number[]
  readonly history: History
}

export interface DrillOptions {
  readonly cluster: ProcessCluster
  readonly senders: number
  readonly conversations: number
  /** Does harm until it resolves; the senders go on meanwhile. */
  readonly harm: (tools: { recovered: () => Promise<void> }) => Promise<void>
  readonly thinkMs?: number
  readonly window?: number
  /** Which node a sender connects to next. @default a random running one */
  readonly pickNode?: () => string
  /** See `SenderOptions.resumes`: false where a loss is intended. @default true */
  readonly resumes?: boolean
  /** Called once, with what is going to be recorded. */
  readonly onHistory?: (history: History) => void
}

/**
 * Senders write into shared conversations while `harm` is done to the nodes; then everything runs
 * again and every conversation is read from every node and judged by every checker.
 */
export async function runDrill(options: DrillOptions): Promise<DrillReport> {
  const { cluster } = options
  const history = new History(() => performance.now())
  options.onHistory?.(history)
  const users = Array.from({ length: options.senders }, (_, at) => `u${at}`)
  const conversations = await createGroups(cluster, users, options.conversations)
  const pickNode = options.pickNode ?? (() => randomNode(cluster))
  const senders = users.map(
    (user) =>
      new Sender({
        user,
        device: `${user}-phone`,
        conversations,
        pickNode,
        history,
        random: Math.random,
        window: options.window ?? 4,
        repeatShare: 0.1,
        thinkMs: options.thinkMs ?? 5,
        resumes: options.resumes ?? true,
      }),
  )
  const running = senders.map((sender) => sender.run())
  const recoveriesMs: number[] = []
  try {
    await acknowledgements(history, 50)
    await options.harm({
      recovered: async () => {
        const from = performance.now()
        await acknowledgements(history, 1)
        recoveriesMs.push(performance.now() - from)
      },
    })
    for (const node of cluster.nodes) if (node.process === null) await cluster.start(node.name)
    await cluster.healthy()
  } catch (error) {
    for (const sender of senders) sender.abandon()
    throw error
  }
  for (const sender of senders) sender.stop()
  await Promise.all(running)
  await cluster.converged()
  for (const node of cluster.nodes) {
    for (const conv of conversations) {
      history.final(await readFinal({ node: node.name, url: node.url, conv, user: users[0]! }))
    }
  }
  const repeats = history.sends.flatMap(({ verdicts }) => verdicts.slice(1))
  return {
    violations: check(history),
    sent: history.sends.length,
    acknowledged: history.acknowledgedCount,
    repeats: repeats.length,
    duplicatesAnswered: repeats.filter((repeat) => repeat.duplicate).length,
    longestGapMs: Math.max(...senders.map((sender) => sender.longestGapMs)),
    recoveriesMs,
    history,
  }
}

function randomNode(cluster: ProcessCluster): string {
  const nodes = cluster.running.length > 0 ? cluster.running : cluster.nodes
  return nodes[Math.floor(Math.random() * nodes.length)]!.url
}

/** Waits until `count` more messages are acknowledged than now. */
export async function acknowledgements(
  history: History,
  count: number,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  const goal = history.acknowledgedCount + count
  while (history.acknowledgedCount < goal) {
    if (performance.now() > deadline) throw new Error(`no new acknowledgement in ${timeoutMs} ms`)
    await sleep(2)
  }
}

async function createGroups(
  cluster: ProcessCluster,
  members: readonly string[],
  count: number,
): Promise<string[]> {
  const client = await WireClient.connect(randomNode(cluster), members[0]!, 'founder')
  const ids: string[] = []
  for (let at = 0; at < count; at++) {
    const answer = await client.request({
      t: 'conv:R',
      op: 'create',
      msgId: `create-${at}`,
      members: members.slice(1),
      name: `group ${at}`,
    })
    if (answer === null || answer.error !== undefined) {
      throw new Error(`cannot create a group: ${JSON.stringify(answer)}`)
    }
    ids.push((answer.conversation as { id: string }).id)
  }
  client.close()
  return ids
}
