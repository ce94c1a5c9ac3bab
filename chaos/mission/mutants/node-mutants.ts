import { type Mutant, mutant } from './mutant.ts'

const PACKETS = 'chaos/mission/packets.int.test.ts'
const FAILOVERS = 'chaos/mission/failovers.int.test.ts'
const SYNC = 'chaos/mission/sync.int.test.ts'
const PUSH = 'chaos/mission/push.ci.test.ts'
const RECEIPTS = 'chaos/mission/receipts.int.test.ts'
const SIGNALS = 'chaos/mission/signals.int.test.ts'
const APPLY = 'node/state-machine/conversation.ts'

/** Of the nodes and the protocol. */
export const NODE_MUTANTS: readonly Mutant[] = [
  mutant(
    1,
    'cancel-unanswered',
    'a request is taken and never answered',
    PACKETS,
    [
      'node/gateway/handlers/cancel.ts',
      "request.answer({ t: 'cancel:A', id: frame.id, cancelled: true })",
      'void frame.id',
    ],
    { rows: [13], because: 'the gateway is looked at by itself there' },
  ),
  mutant(
    2,
    'own-pushed-back',
    'a sender is pushed the message that its answer has told it of',
    PACKETS,
    [
      'node/gateway/fanout.ts',
      'session.push.event(this, inbox, isSender(session, event))',
      'session.push.event(this, inbox, false)',
    ],
    { rows: [3, 12, 33, 36], because: 'they count the same frames' },
  ),
  mutant(
    3,
    'stored-though-delivered',
    'a sender is told that a message is stored which is delivered already',
    RECEIPTS,
    [
      'node/receipts/stored-notices.ts',
      'if (each.seq <= upTo && each.session.user !== user) each.isSettled = true',
      'if (each.seq > upTo) each.isSettled = true',
    ],
  ),
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
    { rows: [9], because: 'it is the word that a sender whose recipient is away waits for' },
  ),
  mutant(
    5,
    'delivered-told-once',
    'a receipt that was told is not told again to who sends again',
    RECEIPTS,
    [
      'node/receipts/gateway-receipts.ts',
      'if (user === session.user || delivered < seq) continue',
      'if (user === session.user || delivered >= seq) continue',
    ],
  ),
  mutant(
    8,
    'copy-of-another-time',
    'a resend is answered with another time than its first result',
    FAILOVERS,
    [
      'node/state-machine/results.ts',
      'return { ok: true, conv, msgId, seq, ord, at, inbox: null, duplicate: true, now }',
      'return { ok: true, conv, msgId, seq, ord, at: at + 1, inbox: null, duplicate: true, now }',
    ],
    {
      rows: [25, 57, 60],
      because: 'a copy is answered with its first result, whoever asks and when',
    },
  ),
  mutant(
    9,
    'never-stored',
    'a sender whose recipient is away is never told that it is stored',
    RECEIPTS,
    ['node/receipts/stored-notices.ts', '  afterMs: 2_000,', '  afterMs: 2_000_000,'],
    { rows: [4, 6], because: 'they wait for that word' },
  ),
  mutant(10, 'page-confirmed-when-given', 'a page counts as had when it is given', SYNC, [
    'node/gateway/handlers/sync.ts',
    'if (frame.ack !== undefined) context.receipts.noteInbox(session, frame.ack)',
    'context.receipts.noteInbox(session, page.next)',
  ]),
  mutant(
    12,
    'only-four-hundred',
    'members of a group past the four hundredth get nothing',
    'chaos/mission/group.int.test.ts',
    [
      'node/state-machine/user.ts',
      '      const member = list[i]!\n      if (!isPresent(member)) continue\n      const inbox',
      '      const member = list[i]!\n      if (!isPresent(member) || i >= 400) continue\n      const inbox',
    ],
  ),
  mutant(
    13,
    'prev-lost-at-the-gateway',
    'the gateway does not hand on which write comes before',
    'node/gateway/requests.test.ts',
    ['node/gateway/handlers/msg.ts', 'prev: frame.prev ?? null,', 'prev: null,'],
    { rows: [47], because: 'the order of a device is what prev is for' },
  ),
  mutant(
    14,
    'blocks-ignored',
    'a blocked user is stored like any other',
    'chaos/mission/events.int.test.ts',
    [
      APPLY,
      "return kind === 'direct' && members.list.some((other) => other !== sender && other.blocks)",
      "return kind === 'group' && members.list.some((other) => other !== sender && other.blocks)",
    ],
    { rows: [25], because: 'the model knows every rule of apply' },
  ),
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
  mutant(
    16,
    'writes-wait',
    'what is for a client is written every 120 ms',
    'chaos/mission/backlog.int.test.ts',
    [
      'node/gateway/flush-queue.ts',
      'this.#clock.defer(this.#run)',
      'this.#clock.after(120, this.#run)',
    ],
    {
      rows: [13, 56],
      because:
        'the gateway is looked at by itself, and a page of history comes later than the whole backlog',
    },
  ),
  mutant(
    17,
    'last-number-again',
    'where no inbox number is left the last one is given again',
    'node/state-machine/inbox.test.ts',
    ['node/state-machine/user-inbox.ts', 'this.head = LAST_INBOX + 1', 'this.head = LAST_INBOX'],
  ),
  mutant(18, 'sync-skips-one', 'after a number that ends in 7 a sync skips one event', SYNC, [
    'node/gateway/handlers/sync.ts',
    'const page = await backend.state.inboxAfter(user, frame.after, limit)',
    'const skipped = frame.after % 10 === 7 ? 1 : 0\n  const page = await backend.state.inboxAfter(user, frame.after + skipped, limit)',
  ]),
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
  mutant(20, 'first-device-only', 'of the devices of a user one is told', SYNC, [
    'node/gateway/fanout.ts',
    'for (const session of sessions) session.push.event',
    'for (const session of sessions.slice(0, 1)) session.push.event',
  ]),
  mutant(
    22,
    'pages-by-sender',
    'a page shows the messages of each sender together',
    PACKETS,
    [
      'node/gateway/handlers/pull.ts',
      'events: shown.map(wireEvent)',
      'events: shown.map(wireEvent).sort((a, b) => (a.from < b.from ? -1 : 1))',
    ],
    { rows: [12, 62], because: 'they compare the same pages' },
  ),
  mutant(
    23,
    'routes-by-remainder',
    'a pair goes to the node that the remainder of its hash names',
    'node/signals/route-ring.test.ts',
    [
      'node/signals/route-ring.ts',
      'return (this.#points[from] ?? this.#points[0])?.node ?? null',
      'return this.nodes[hash % this.nodes.length] ?? null',
    ],
  ),
  mutant(
    24,
    'each-gateway-orders',
    'the signals of a group are put in order where they come in',
    SIGNALS,
    [
      'node/signals/signal-router.ts',
      '    if (route === this.#host.self()) this.#order(signal)\n    else if (route === null) this.#hold(signal)\n    else if (!',
      '    if (route === this.#host.self() || signal.conv !== null) this.#order(signal)\n    else if (route === null) this.#hold(signal)\n    else if (!',
    ],
  ),
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
    { rows: [57], because: 'a result is read back with its event' },
  ),
  mutant(26, 'no-merged-notifies', 'each event gets a notify of its own', SYNC, [
    'node/gateway/session-push.ts',
    'if (this.slow || this.#notified) {',
    'if (this.slow) {',
  ]),
  mutant(27, 'ack-of-a-page-dropped', 'the ack that rides on the next request is not read', SYNC, [
    'node/gateway/handlers/pull.ts',
    '    context.receipts.note(session, [ack])\n',
    '    void ack\n',
  ]),
  mutant(
    30,
    'ids-through-numbers',
    'a msgId of nothing but digits is taken for a number',
    PACKETS,
    [
      'node/gateway/handlers/msg.ts',
      'msgId: frame.msgId,',
      'msgId: /^[0-9]+$/.test(frame.msgId) ? String(Number(frame.msgId)) : frame.msgId,',
    ],
  ),
  mutant(32, 'signals-twice', 'a signal that was sent again is handed on again', SIGNALS, [
    'node/signals/signal-router.ts',
    'return this.#ofDevices.passes(key, [session, sessionWall, n])',
    'return [key, session, sessionWall, n].length > 0',
  ]),
  mutant(
    33,
    'seen-told-as-delivered',
    'that a message was read is told as that it was delivered',
    RECEIPTS,
    [
      'node/receipts/gateway-receipts.ts',
      "const frame = { t: 'ack:N', conv, kind, upTo, at, by: user } as const",
      "const frame = { t: 'ack:N', conv, kind: 'delivered', upTo, at, by: user } as const",
    ],
    { rows: [39], because: 'it compares the fields of each kind' },
  ),
  mutant(35, 'sent-without-the-log', 'a node answers sent before anything is in the log', PACKETS, [
    'node/node-backend.ts',
    'this.#parts.filters.submit(submission, done)',
    "done({ ok: true, conv: 'c', msgId: submission.msgId, seq: 1, ord: 1, at: 1, inbox: null, duplicate: false, now: 1 })",
  ]),
  mutant(
    38,
    'ids-of-others-taken',
    'a msgId that another member has just used is refused',
    'chaos/processes/stranger.int.test.ts',
    [
      APPLY,
      'if (existing !== undefined && isBlockedIn(existing, sender!)) {',
      'if (existing?.members.list.some((each) => each !== sender && each.lastMsgId === view.msgId)) {',
    ],
    {
      rows: [14, 25],
      because:
        'it stands in the place of the check of blocks, and the model knows every rule of apply',
    },
  ),
  mutant(
    47,
    'overtaking',
    'a write is taken before the one that it follows',
    PACKETS,
    [
      APPLY,
      'if (view.prev !== null && !this.#hasResult(command, view.prev, sender)) {',
      "if (view.prev === '' && !this.#hasResult(command, view.prev, sender)) {",
    ],
    { rows: [25], because: 'the model knows every rule of apply' },
  ),
  mutant(48, 'replies-to-the-unseen', 'a reply may name what its writer cannot see', PACKETS, [
    APPLY,
    'if (!known || !isVisible(sender!, view.replyTo)) {',
    'if (!known) {',
  ]),
  mutant(
    48,
    'replies-to-the-future',
    'a reply may name an event that comes later',
    PACKETS,
    [APPLY, 'view.replyTo <= existing.head', 'view.replyTo <= existing.head + 9'],
    { rows: [25], because: 'the model knows every rule of apply' },
  ),
  mutant(
    50,
    'two-of-five',
    'two of five nodes count as a majority',
    'chaos/mission/failures-survived.ci.test.ts',
    [
      'cluster/raft/quorum.ts',
      'return sorted[Math.floor(ids.length / 2)]!',
      'return sorted[ids.length < 5 ? Math.floor(ids.length / 2) : 1]!',
    ],
  ),
  mutant(52, 'from-the-beginning', 'what a device says that it has is pushed to it again', SYNC, [
    'node/gateway/handlers/resume-position.ts',
    'const from = resume?.epoch === backend.epoch ? (resume.inbox ?? 0) : 0',
    'const from = 0',
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
    'chaos/mission/retention.int.test.ts',
    ['node/state-machine/retention-apply.ts', '    conversation.firstSeq = first\n', ''],
  ),
  mutant(
    54,
    'full-page-has-more',
    'a page that is full says that there is more',
    'chaos/mission/backlog.int.test.ts',
    [
      'node/gateway/handlers/sync.ts',
      '    hasMore,\n    gap: gap ?? missingOf(page),',
      '    hasMore: hasMore || page.entries.length === frame.limit,\n    gap: gap ?? missingOf(page),',
    ],
    { rows: [27], because: 'it counts the pages, too' },
  ),
  mutant(55, 'no-statuses', 'the first page does not say what became of messages', SYNC, [
    'node/gateway/handlers/sync.ts',
    'const statuses = isFirst ? await context.receipts.statuses(session.user, since) : []',
    'const statuses: [] = []',
  ]),
  mutant(
    56,
    'oldest-first',
    'the conversations that changed are told oldest first',
    'chaos/mission/backlog.int.test.ts',
    [
      'node/gateway/handlers/changed-conversations.ts',
      'const changed = all.filter(isChanged(frame, page))',
      'const changed = all.filter(isChanged(frame, page)).toReversed()',
    ],
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
    [
      APPLY,
      '    if (prior !== null) {',
      '    if (prior !== null && (prior.event?.view.device ?? view.device) === view.device) {',
    ],
    { rows: [8], because: 'the resend comes from another device of the same user' },
  ),
  mutant(61, 'one-is-enough', 'what is on the disk of one node counts as committed', FAILOVERS, [
    'cluster/raft/quorum.ts',
    'return sorted[Math.floor(ids.length / 2)]!',
    'return sorted[0]!',
  ]),
  mutant(
    62,
    'long-pages-by-id',
    'a page of a hundred events is in the order of their ids',
    PACKETS,
    [
      'node/gateway/handlers/pull.ts',
      'events: shown.map(wireEvent)',
      'events: shown.length === 100 ? shown.map(wireEvent).sort((a, b) => (a.msgId < b.msgId ? -1 : 1)) : shown.map(wireEvent)',
    ],
    { rows: [22], because: 'one test shows both' },
  ),
  mutant(64, 'no-word-of-the-leader', 'clients are not told of a new leader', FAILOVERS, [
    'node/gateway/gateway.ts',
    "this.#broadcast({ t: 'leader:N', leader: this.#context.backend.leader() })",
    'void this.#context',
  ]),
]
