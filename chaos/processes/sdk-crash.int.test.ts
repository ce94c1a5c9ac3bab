// An application with a durable store that dies at its worst moments and comes back.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ChatClient, type ChatEvent, type ClientFailpoint } from '#client'
import { ProcessCluster } from './process-cluster.ts'
import { runChild } from './run-child.ts'
import type { ChildLine, ChildPlan } from './sdk-child.ts'

const CHILD = fileURLToPath(new URL('sdk-child.ts', import.meta.url))
const TOTAL = 40

let cluster: ProcessCluster
let folder: string
beforeAll(async () => {
  cluster = await ProcessCluster.started(1)
  folder = await mkdtemp(join(tmpdir(), 'parley-sdk-'))
})
afterAll(async () => {
  await cluster.close()
  await rm(folder, { recursive: true, force: true })
})

/** Where it dies, each time after how many visits, and how often. */
const DEATHS: Record<ClientFailpoint, readonly number[]> = {
  'store.opened': [1],
  'outbox.beforeWrite': [1, 9],
  'outbox.written': [1, 8],
  'session.recorded': [1],
  'socket.sent': [1, 4],
  'outbox.answered': [1, 8],
  'outbox.settled': [1, 8],
  'inbox.beforeWrite': [1, 9],
  'inbox.written': [1, 9],
  'cursor.acknowledged': [1, 9],
  'cursor.written': [1, 9],
}

describe('an application that dies', () => {
  test.each(Object.keys(DEATHS) as ClientFailpoint[])(
    '[M-28] [RS14] at %s: everything once, in order',
    async (at) => {
      const user = at.replace('.', '-')
      const urls = [cluster.nodes[0]!.url]
      const alice = await ChatClient.connect({ urls, user, device: 'reader' })
      const room = await alice.createGroup({ members: [] })
      const lines: ChildLine[] = []
      const endings: boolean[] = []
      const msgIds = new Map<number, string>()
      for (const count of [...DEATHS[at], null]) {
        const queued = Math.max(0, ...lines.map((line) => (line.is === 'queued' ? line.n : 0)))
        const life = await runChild<ChildPlan, ChildLine>(CHILD, {
          ...{ url: urls[0]!, user, conversation: room.id!, total: TOTAL, queued },
          store: join(folder, user),
          dies: count === null ? null : { at, count },
        })
        const settled = new Set(lines.flatMap((line) => (line.is === 'sent' ? [line.n] : [])))
        const before = lines.findLast((line) => line.is === 'shown')
        for (const line of life.lines) {
          if (line.is === 'restored') {
            // What the application was told is sent is nobody's work any more; the rest keeps its id.
            expect(settled).not.toContain(line.n)
            expect(line.msgId).toBe(msgIds.get(line.n) ?? line.msgId)
          }
          if (line.is === 'restored' || line.is === 'queued') msgIds.set(line.n, line.msgId)
        }
        // Only the one in hand may come again, and says so.
        const first = life.lines.find((line) => line.is === 'shown')
        if (before?.is === 'shown' && first?.is === 'shown' && first.seq === before.seq) {
          expect(first.redelivered).toBe(true)
        }
        lines.push(...life.lines)
        endings.push(life.killed)
      }
      expect(endings).toEqual([...DEATHS[at].map(() => true), false])
      expect(lines.filter(({ is }) => is === 'failed')).toEqual([])

      const events: ChatEvent[] = (await room.history({ limit: 500 })).events.filter(
        ({ kind }) => kind === 'message',
      )
      expect(events.map(({ body }) => body)).toEqual(Array.from({ length: TOTAL }, (_, n) => n + 1))
      const seqs = new Map(events.map(({ body, seq }) => [body as number, seq]))
      for (const line of lines) {
        if (line.is === 'sent') expect(line.seq).toBe(seqs.get(line.n))
        if (line.is === 'queued') {
          expect(events.find(({ body }) => body === line.n)!.msgId).toBe(line.msgId)
        }
      }
      // Shown without a hole, in order; each once but for those that say so.
      const shown = lines.flatMap((line) => (line.is === 'shown' ? [line] : []))
      const fresh = shown.filter(({ redelivered }) => !redelivered)
      expect(new Set(fresh.map(({ seq }) => seq)).size).toBe(fresh.length)
      const order = [...new Set(shown.map(({ seq }) => seq))]
      expect(order).toEqual(events.slice(0, order.length).map(({ seq }) => seq))
      alice.close()
    },
    60_000,
  )
})
