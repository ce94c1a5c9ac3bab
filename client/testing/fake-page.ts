import type { PullAnswer, PullRequest, WireEvent } from '../protocol/frames.ts'

/** A page of a conversation whose events up to `lost` are gone. */
export function pullPage(all: readonly WireEvent[], frame: PullRequest, lost: number): PullAnswer {
  const head = all.length
  const { id } = frame
  if (frame.after !== undefined) {
    const after = Math.max(frame.after, Math.min(lost, head))
    const events = all.slice(after, after + frame.limit)
    const next = events.at(-1)?.seq ?? after
    const gap =
      frame.after < lost ? { from: frame.after + 1, to: lost, reason: 'retention' as const } : null
    return { t: 'pull:A', id, events, next, upTo: head, hasMore: next < head, gap }
  }
  const before = Math.min(frame.before!, head + 1)
  const from = Math.max(lost, before - 1 - frame.limit)
  const events = all.slice(from, before - 1)
  const next = events[0]?.seq ?? before
  const gap =
    next - 1 <= lost && lost > 0 ? { from: 1, to: lost, reason: 'retention' as const } : null
  return { t: 'pull:A', id, events, next, upTo: head, hasMore: next - 1 > lost, gap }
}
