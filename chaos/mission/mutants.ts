import type { SeededBug } from '../bugs/seeded-bug.ts'

/** One mechanism of the papers switched off by one change of one file. */
export interface Mutant extends Omit<SeededBug, 'breaks'> {
  /** The `M-n` that must notice. */
  readonly row: number
  /** Test file, from the repository's top, whose titles with that number are run. */
  readonly test: string
}

const PACKETS = 'chaos/mission/packets.int.test.ts'
const FAILOVERS = 'chaos/mission/failovers.int.test.ts'
const SYNC = 'chaos/mission/sync.int.test.ts'
const PUSH = 'chaos/mission/push.ci.test.ts'
const RECEIPTS = 'chaos/mission/receipts.int.test.ts'
const ERRORS = 'client/errors.test.ts'
const RECEIVED = 'client/received.test.ts'
const APPLY = 'node/state-machine/conversation.ts'

const mutant = (
  row: number,
  name: string,
  story: string,
  test: string,
  [file, find, replace]: readonly [string, string, string],
): Mutant => ({ row, name, story, test, file, find, replace })

export const MUTANTS: readonly Mutant[] = [
  mutant(1, 'cancel-unanswered', 'a request is taken and never answered', PACKETS, [
    'node/gateway/handlers/cancel.ts',
    "request.answer({ t: 'cancel:A', id: frame.id, cancelled: true })",
    'void frame.id',
  ]),
  mutant(2, 'nothing-pushed', 'stored messages are pushed to nobody', PACKETS, [
    'node/gateway/fanout.ts',
    'if (registry.size === 0) return',
    'if (registry.size >= 0) return',
  ]),
  mutant(3, 'no-receipts', 'what recipients acknowledge is not told to the sender', RECEIPTS, [
    'node/receipts/gateway-receipts.ts',
    '    this.#stored.delivered(conv, user, upTo)\n',
    '    this.#stored.delivered(conv, user, upTo)\n    if (upTo > 0) return\n',
  ]),
  mutant(
    7,
    'hands-over-again',
    'what follows in the inbox is handed over from its beginning',
    RECEIVED,
    [
      'client/received.ts',
      'for (let seq = after + 1; events.length < limit; seq++) {',
      'for (let seq = Math.max(1, after); events.length < limit; seq++) {',
    ],
  ),
  mutant(
    8,
    'copy-gets-the-next-seq',
    'a resend is answered with another number than its first result',
    FAILOVERS,
    [
      'node/state-machine/results.ts',
      'return { ok: true, conv, msgId, seq, ord, at, inbox: null, duplicate: true, now }',
      'return { ok: true, conv, msgId, seq: seq + 1, ord, at, inbox: null, duplicate: true, now }',
    ],
  ),
  mutant(
    9,
    'never-stored',
    'a sender whose recipient is away is never told that it is stored',
    RECEIPTS,
    ['node/receipts/stored-notices.ts', '  afterMs: 2_000,', '  afterMs: 2_000_000,'],
  ),
  mutant(
    13,
    'prev-lost-at-the-gateway',
    'the gateway does not hand on which write comes before',
    'node/gateway/requests.test.ts',
    ['node/gateway/handlers/msg.ts', 'prev: frame.prev ?? null,', 'prev: null,'],
  ),
  mutant(
    14,
    'blocks-ignored',
    'a blocked user is stored like any other',
    'node/state-machine/targets.test.ts',
    [
      APPLY,
      "return kind === 'direct' && members.list.some((other) => other !== sender && other.blocks)",
      "return kind === 'group' && members.list.some((other) => other !== sender && other.blocks)",
    ],
  ),
  mutant(
    17,
    'inbox-number-twice',
    'each hundredth event gets the inbox number of the one before',
    'node/state-machine/inbox.test.ts',
    [
      'node/state-machine/user-inbox.ts',
      '    this.head += 1\n    if (this.runCount > 0',
      '    if (this.head % 3 !== 1) this.head += 1\n    if (this.runCount > 0',
    ],
  ),
  mutant(
    18,
    'sync-from-the-middle',
    'sync skips the first event after the number it is given',
    SYNC,
    [
      'node/gateway/handlers/sync.ts',
      'const page = await backend.state.inboxAfter(user, frame.after, limit)',
      'const page = await backend.state.inboxAfter(user, frame.after + 1, limit)',
    ],
  ),
  mutant(
    19,
    'heartbeat-says-nothing',
    'the answer to a heartbeat does not say how far the inbox is',
    SYNC,
    [
      'node/gateway/handlers/ping.ts',
      '    inbox,\n    heads: heads',
      '    inbox: null,\n    heads: heads',
    ],
  ),
  mutant(22, 'pages-by-sender', 'a page shows the messages of each sender together', PACKETS, [
    'node/gateway/handlers/pull.ts',
    'events: shown.map(wireEvent)',
    'events: shown.map(wireEvent).sort((a, b) => (a.from < b.from ? -1 : 1))',
  ]),
  mutant(
    25,
    'events-let-go-early',
    'events that came while a checkpoint was written leave memory with it',
    'node/state-machine/model.test.ts',
    [
      'node/state-machine/checkpointer.ts',
      'state.hot.written(frozen.nextEvent)',
      'state.hot.written(state.hot.next)',
    ],
  ),
  mutant(26, 'no-merged-notifies', 'each event that is held back gets a notify of its own', SYNC, [
    'node/gateway/pending-notifies.ts',
    '    this.#pending.set(conv, { seq, inbox })',
    '    this.#pending.set(`${conv}`, { seq: 1, inbox })',
  ]),
  mutant(30, 'short-ids-only', 'a msgId of 64 bits in decimal is too long', PACKETS, [
    'client/protocol/limits.ts',
    '  msgIdLength: 64,',
    '  msgIdLength: 16,',
  ]),
  mutant(34, 'read-undone', 'a late delivered undoes read', 'client/receipts.test.ts', [
    'client/outgoing-message.ts',
    "} else if (this.#status === 'sent' && kind === 'delivered') {",
    "} else if (kind === 'delivered') {",
  ]),
  mutant(35, 'sent-without-the-log', 'a node answers sent before anything is in the log', PACKETS, [
    'node/node-backend.ts',
    'this.#parts.filters.submit(submission, done)',
    "done({ ok: true, conv: 'c', msgId: submission.msgId, seq: 1, ord: 1, at: 1, inbox: null, duplicate: false, now: 1 })",
  ]),
  mutant(
    37,
    'counter-starts-again',
    'the counter of a snowflake starts again within its millisecond',
    'client/message-id.test.ts',
    [
      'client/message-id.ts',
      'return this.#count++ < 4095',
      'return (this.#count = (this.#count + 1) % 4096) >= 0',
    ],
  ),
  mutant(
    41,
    'each-receipt-alone',
    'each receipt goes out in a frame of its own',
    'client/receipts.test.ts',
    [
      'client/acks.ts',
      'if (this.#count >= this.#options.ackBatch && this.#failures === 0) this.flush()',
      'if (this.#failures === 0) this.flush()',
    ],
  ),
  mutant(43, 'linear-backoff', 'delays grow by a step, not by a factor', 'client/client.test.ts', [
    'client/backoff.ts',
    'config.multiplier ** Math.min(retry, 64)',
    'config.multiplier * Math.min(retry, 64)',
  ]),
  mutant(44, 'refused-and-sent-again', 'what is refused for good is sent again', ERRORS, [
    'client/outbox.ts',
    'else if (!error.retryable) {',
    "else if (error.code === 'INTERNAL') {",
  ]),
  mutant(46, 'herd', 'idle clients come back all at once', 'client/connection.test.ts', [
    'client/connection.ts',
    'const spreadMs = uniform(ports.random) * this.#spreadMs',
    'const spreadMs = 0 * this.#spreadMs',
  ]),
  mutant(48, 'replies-to-the-unseen', 'a reply may name what its writer cannot see', PACKETS, [
    APPLY,
    'if (!known || !isVisible(sender!, view.replyTo)) {',
    'if (!known) {',
  ]),
  mutant(
    53,
    'count-off',
    'the newest messages that a policy keeps are six too many',
    'node/retention/plan-removals.test.ts',
    [
      'node/retention/plan-removals.ts',
      'event.ord < ord - maxCount + 1',
      'event.ord < ord - maxCount - 5',
    ],
  ),
  mutant(53, 'age-off', 'nothing is ever too old', 'node/retention/plan-removals.test.ts', [
    'node/retention/plan-removals.ts',
    'logTime < now - maxAgeMs',
    'logTime < 0 - maxAgeMs',
  ]),
  mutant(
    53,
    'cut-not-made',
    'a truncation in the log moves nothing',
    'node/state-machine/retention.test.ts',
    ['node/state-machine/retention-apply.ts', '    conversation.firstSeq = first\n', ''],
  ),
  mutant(
    57,
    'results-not-loaded',
    'what was sent is remembered by the process, not by its checkpoint',
    FAILOVERS,
    [
      'node/state-machine/application-state.ts',
      '    await state.dedupe.load(state.#dedupeBlocks(), state.settings.windowMs)\n',
      '',
    ],
  ),
  mutant(
    59,
    'window-by-the-wall',
    'log time follows the wall clock of the leader',
    'node/log-clock.test.ts',
    [
      'node/log-clock.ts',
      'return this.#baseMs + Math.floor(this.#clock.monotonicMs() - this.#anchorMs)',
      'return this.#clock.wallMs()',
    ],
  ),
  mutant(
    59,
    'window-by-the-outage',
    'log time goes on while nobody leads',
    'node/log-clock.test.ts',
    [
      'node/log-clock.ts',
      '    this.#anchorMs = this.#clock.monotonicMs()',
      '    this.#anchorMs = 0',
    ],
  ),
  mutant(
    59,
    'no-window',
    'a write too old to be decided is stored as a new one',
    'node/log-clock.test.ts',
    [APPLY, 'if (view.since !== null && since < windowStart) {', 'if (view.since === -1) {'],
  ),
  mutant(
    60,
    'sticky-by-device',
    'a copy is known only on the device that sent the first',
    PACKETS,
    [APPLY, '    if (prior !== null) {', "    if (prior !== null && view.device !== 'phone-2') {"],
  ),
  mutant(61, 'one-is-enough', 'what is on the disk of one node counts as committed', FAILOVERS, [
    'cluster/raft/quorum.ts',
    'return sorted[Math.floor(ids.length / 2)]!',
    'return sorted[0]!',
  ]),
  mutant(62, 'pages-backwards', 'a page has its newest event first', PACKETS, [
    'node/gateway/handlers/pull.ts',
    'events: shown.map(wireEvent)',
    'events: shown.map(wireEvent).reverse()',
  ]),
  mutant(64, 'no-word-of-the-leader', 'clients are not told of a new leader', FAILOVERS, [
    'node/gateway/gateway.ts',
    "this.#broadcast({ t: 'leader:N', leader: this.#context.backend.leader() })",
    'void this.#context',
  ]),
  mutant(64, 'followers-refuse', 'a node that does not lead refuses writes', FAILOVERS, [
    'node/node-backend.ts',
    '    this.#parts.filters.submit(submission, done)\n',
    "    if (this.leader()?.id === this.self.id) this.#parts.filters.submit(submission, done)\n    else done({ error: wireError('NOT_LEADER', 'ask the leader') })\n",
  ]),
  mutant(
    4,
    'sent-is-delivered',
    'the node that answers acknowledges in the name of the recipient',
    RECEIPTS,
    [
      'node/receipts/gateway-receipts.ts',
      "{ conv, kind: 'stored', upTo, at: clock.wallMs() }",
      "{ conv, kind: 'delivered', upTo, at: clock.wallMs(), by: 'ghost' }",
    ],
  ),
  mutant(6, 'forgets-what-waits', 'the slow stage ends by itself', 'client/waiting-acks.test.ts', [
    'client/waiting-acks.ts',
    '    this.#waiting.set(draft.msgId, waiting)\n',
    '',
  ]),
  mutant(27, 'ack-of-a-page-dropped', 'the ack that rides on the next request is not read', SYNC, [
    'node/gateway/handlers/pull.ts',
    '    context.receipts.note(session, [ack])\n',
    '    void ack\n',
  ]),
  mutant(55, 'no-statuses', 'the first page does not say what became of messages', SYNC, [
    'node/gateway/handlers/sync.ts',
    'const statuses = isFirst ? await context.receipts.statuses(session.user, since) : []',
    'const statuses: [] = []',
  ]),
  mutant(48, 'replies-to-the-future', 'a reply may name an event that comes later', PACKETS, [
    APPLY,
    'view.replyTo <= existing.head',
    'view.replyTo <= existing.head + 9',
  ]),
  mutant(60, 'results-not-kept', 'what became of a write is not kept', PACKETS, [
    APPLY,
    '      state.dedupe.insert(keyHigh, keyLow, seq, now, state.settings.windowMs)\n',
    '',
  ]),
  mutant(57, 'no-copies-of-old', 'only what is in memory is known to have been sent', FAILOVERS, [
    'node/state-machine/results.ts',
    'if (count === 0 && !command.ofUser) return null',
    'if (count === 0 || !command.ofUser) return null',
  ]),
  mutant(15, 'called-although-there', 'devices with a session are taken for absent', PUSH, [
    'node/push/present-devices.ts',
    'if (here.has(key)) return true',
    'if (here.has(key)) break',
  ]),
  mutant(15, 'another-key-each-term', 'the next leader repeats a call under another key', PUSH, [
    'node/push/push-to-absent.ts',
    '\\n${inbox}`',
    '\\n${inbox}\\n${this.#term}`',
  ]),
]
