import { setTimeout as sleep } from 'node:timers/promises'
import type { Frame, WireClient } from '../workload/wire-client.ts'

/** An event as `sync:A` and `msg:N` show it. */
export interface Shown {
  readonly conv: string
  readonly seq: number
  readonly inbox: number
  readonly body?: unknown
  readonly from: string
}

/** Messages of one WebSocket message, all on their way at once. */
const BURST = 500

/** Sends `count` messages whose bodies count from `first`, keeping their order; all are stored. */
export async function sendMany(
  sender: WireClient,
  to: { conv: string } | { to: string },
  count: number,
  options: { readonly name: string; readonly first?: number; readonly fill?: string },
): Promise<{ conv: string; seqs: number[] }> {
  const { name, first = 1, fill = '' } = options
  const seqs: number[] = []
  let conv = ''
  for (let sent = 0; sent < count; sent += BURST) {
    const part = Array.from({ length: Math.min(BURST, count - sent) }, (_, at) => sent + at)
    const ids = part.map((n) => `${name}-${n}`)
    const before = sender.received.length
    sender.send(
      part.map((n, at) => ({
        t: 'msg:R',
        id: `${name}-${n}`,
        ...to,
        msgId: `${name}-${n}`,
        body: { n: first + n, fill },
        // The first of a burst follows answers only.
        ...(at === 0 ? {} : { prev: `${name}-${n - 1}` }),
      })),
    )
    for (const answer of await answersTo(sender, before, ids)) {
      if (answer.error !== undefined) throw new Error(`${answer.id}: ${answer.error.code}`)
      seqs.push(answer['seq'] as number)
      conv = answer['conv'] as string
    }
  }
  return { conv, seqs }
}

/** In the order of the ids; they stand behind the first `before` frames. */
async function answersTo(
  { received }: WireClient,
  before: number,
  ids: readonly string[],
): Promise<Frame[]> {
  const deadline = performance.now() + 60_000
  for (;;) {
    const byId = new Map(received.slice(before).map((frame) => [frame.id, frame]))
    const found = ids.flatMap((id) => byId.get(id) ?? [])
    if (found.length === ids.length) return found
    if (performance.now() > deadline) throw new Error(`${ids.length - found.length} answers lack`)
    await sleep(5)
  }
}

/** Every page from `after` on, each asked for with the `next` of the one before. */
export async function syncAll(
  client: WireClient,
  after: number,
  limit: number,
  more: (page: number, after: number) => object = () => ({}),
): Promise<{ pages: Frame[]; events: Shown[] }> {
  const pages: Frame[] = []
  for (let position = after; ;) {
    const page = await client.ask({
      t: 'sync:R',
      after: position,
      limit,
      ...more(pages.length, position),
    })
    if (page.error !== undefined) throw new Error(`sync:R: ${page.error.code}`)
    pages.push(page)
    position = page['next'] as number
    if (page['hasMore'] !== true) break
  }
  return { pages, events: pages.flatMap((page) => page['events'] as Shown[]) }
}

export const inboxes = (events: readonly Shown[]): number[] => events.map(({ inbox }) => inbox)

export const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => from + at)

/** Events that were pushed whole. */
export const pushed = ({ received }: WireClient): Shown[] =>
  received.filter(({ t, kind }) => t === 'msg:N' && kind !== undefined) as unknown as Shown[]

/** Bare notifies. */
export const notified = ({ received }: WireClient): Frame[] =>
  received.filter(({ t, kind }) => t === 'msg:N' && kind === undefined)
