/**
 * What the hot frames cost: `node bench/codec.bench.ts [--json]`. Goals, msgpack on one core of the
 * machine named in `docs/performance.md`: a `msg:R` with a body of 256 bytes decoded in 0.7 µs, a
 * `msg:A` encoded in 0.4 µs.
 */
import {
  decodeFrames,
  encodeBody,
  encodeFrame,
  joinFrames,
  type Frame,
  type MessageAnswer,
  type MessageNotice,
  type MessageRequest,
  type Subprotocol,
} from '#protocol'

interface Result {
  readonly name: string
  readonly nanoseconds: number
  readonly bytes: number
}

const FRAMES = 4096
const ROUNDS = 15
const body = encodeBody({ text: 'x'.repeat(240) })

const requests: MessageRequest[] = Array.from({ length: FRAMES }, (_, i) => ({
  t: 'msg:R',
  id: i,
  conv: `bench-conversation-${i % 1000}`,
  msgId: `phone-17_${i}_1764000000000`,
  body,
  prev: `phone-17_${i - 1 < 0 ? 0 : i - 1}_1764000000000`,
  since: 1_764_000_000_000 + i,
}))

const answers: MessageAnswer[] = requests.map((request, i) => ({
  t: 'msg:A',
  id: i,
  msgId: request.msgId,
  conv: request.conv!,
  seq: 100_000 + i,
  at: 1_764_000_000_000 + i,
  ord: 100_000 + i,
  duplicate: false,
  now: 1_764_000_000_000 + i,
}))

const notices: MessageNotice[] = requests.map((request, i) => ({
  t: 'msg:N',
  conv: request.conv!,
  seq: 100_000 + i,
  kind: 'message',
  ord: 100_000 + i,
  msgId: request.msgId,
  from: 'alice',
  device: 'phone-17',
  at: 1_764_000_000_000 + i,
  body,
}))

/** The median of several rounds over all frames, per frame. */
function measure(name: string, bytes: number, run: (i: number) => unknown): Result {
  const rounds: number[] = []
  let sink = 0
  for (let round = 0; round < ROUNDS; round++) {
    const from = process.hrtime.bigint()
    for (let i = 0; i < FRAMES; i++) if (run(i) !== undefined) sink++
    rounds.push(Number(process.hrtime.bigint() - from) / FRAMES)
  }
  if (sink !== ROUNDS * FRAMES) throw new Error(`${name}: ${sink} results`)
  rounds.sort((a, b) => a - b)
  return { name, nanoseconds: Math.round(rounds[ROUNDS >> 1]!), bytes }
}

function encodeAll(frames: readonly Frame[], subprotocol: Subprotocol): (Uint8Array | string)[] {
  // As a socket delivers them: each message in memory of its own.
  return frames.map((frame) => {
    const data = encodeFrame(frame, subprotocol)
    return typeof data === 'string' ? data : Buffer.from(data)
  })
}

const results: Result[] = []
for (const subprotocol of ['parley.v1.msgpack', 'parley.v1.json'] as const) {
  const short = subprotocol.slice('parley.v1.'.length)
  const encodedRequests = encodeAll(requests, subprotocol)
  const encodedAnswers = encodeAll(answers, subprotocol)
  const encodedNotices = encodeAll(notices, subprotocol)
  results.push(
    measure(`${short} decode msg:R`, encodedRequests[0]!.length, (i) =>
      decodeFrames(encodedRequests[i]!, subprotocol, 'toServer'),
    ),
    measure(`${short} encode msg:A`, encodedAnswers[0]!.length, (i) =>
      encodeFrame(answers[i]!, subprotocol),
    ),
    measure(`${short} encode msg:N`, encodedNotices[0]!.length, (i) =>
      encodeFrame(notices[i]!, subprotocol),
    ),
    measure(`${short} encode msg:R`, encodedRequests[0]!.length, (i) =>
      encodeFrame(requests[i]!, subprotocol),
    ),
    measure(`${short} decode msg:A`, encodedAnswers[0]!.length, (i) =>
      decodeFrames(encodedAnswers[i]!, subprotocol, 'toClient'),
    ),
    measure(`${short} decode msg:N`, encodedNotices[0]!.length, (i) =>
      decodeFrames(encodedNotices[i]!, subprotocol, 'toClient'),
    ),
    measure(`${short} join 16 msg:N`, encodedNotices[0]!.length * 16, (i) =>
      joinFrames(encodedNotices.slice(i & 0xff, (i & 0xff) + 16)),
    ),
  )
}

if (process.argv.includes('--json')) console.log(JSON.stringify(results))
else {
  for (const { name, nanoseconds, bytes } of results) {
    console.log(
      `${name.padEnd(24)} ${String(nanoseconds).padStart(7)} ns ${String(bytes).padStart(6)} bytes`,
    )
  }
}
