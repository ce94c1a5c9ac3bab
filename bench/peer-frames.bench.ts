/**
 * What the appends of one turn cost a leader to encode, in CPU: a frame for each follower, and one
 * for all that lack the same entries.
 *
 *     node bench/peer-frames.bench.ts
 */
import type { AppendMessage } from '../cluster/raft/messages.ts'
import { AppendFrames } from '../cluster/transport/append-frames.ts'
import { encodeMessage } from '../cluster/transport/message-codec.ts'

const ROUNDS = 9
const BYTES_PER_ROUND = 40_000_000

function appends(followers: number, bytes: number): AppendMessage[] {
  const entries = [{ term: 5, index: 1_001, type: 0, data: Buffer.alloc(bytes, 7) }] as const
  const position = { term: 5, prevIndex: 1_000, prevTerm: 5, commit: 990 }
  return Array.from({ length: followers }, (_, at) => {
    const to = String(at + 2).repeat(16)
    return { type: 'append', from: '1'.repeat(16), to, ...position, entries }
  })
}

function cpuMicros(run: () => void): number {
  const before = process.cpuUsage()
  run()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!

let written = 0
const each = (messages: readonly AppendMessage[]): void => {
  for (const message of messages) written += encodeMessage(message, 0).length
}
const shared = (messages: readonly AppendMessage[]): void => {
  const frames = new AppendFrames(0)
  for (const message of messages) written += frames.frameOf(message).length
}

for (const followers of [2, 4]) {
  for (const bytes of [300, 4_000, 50_000, 250_000]) {
    const messages = appends(followers, bytes)
    const times = Math.max(200, Math.min(20_000, Math.round(BYTES_PER_ROUND / bytes)))
    const repeat = (run: (messages: readonly AppendMessage[]) => void) =>
      cpuMicros(() => {
        for (let i = 0; i < times; i++) run(messages)
      }) / times
    const costs = { each: [] as number[], shared: [] as number[] }
    for (let round = -1; round < ROUNDS; round++) {
      const [one, other] = [repeat(each), repeat(shared)]
      // The first round warms up.
      if (round < 0) continue
      costs.each.push(one)
      costs.shared.push(other)
    }
    const [one, other] = [median(costs.each), median(costs.shared)]
    const figures = `${one.toFixed(2)} µs each, ${other.toFixed(2)} µs shared`
    console.log(`${followers} followers, ${bytes} B: ${figures}, ${(one / other).toFixed(1)} ×`)
  }
}
console.log(`(${Math.round(written / 1e9)} GB of frames)`)
