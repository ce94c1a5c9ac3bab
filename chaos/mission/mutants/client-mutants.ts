import { type Mutant, mutant } from './mutant.ts'

const RECEIPTS = 'chaos/mission/receipts.int.test.ts'
const CRASHES = 'chaos/mission/receiving-crashes.ci.test.ts'
const SDK_RECEIVING = 'chaos/mission/sdk-receiving.int.test.ts'
const SDK_SENDING = 'chaos/mission/sdk-sending.int.test.ts'
const ERRORS = 'client/errors.test.ts'
const RECEIVED = 'client/received.test.ts'

/** Of the SDK. */
export const CLIENT_MUTANTS: readonly Mutant[] = [
  mutant(
    6,
    'forgets-what-waits',
    'the slow stage ends by itself',
    'client/waiting-acks.test.ts',
    ['client/waiting-acks.ts', '    this.#waiting.set(draft.msgId, waiting)\n', ''],
    { rows: [5], because: 'a lost word is made good by that stage' },
  ),
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
    { rows: [10, 11, 28, 29, 56], because: 'they show what a client that comes back is handed' },
  ),
  mutant(
    11,
    'delivered-when-it-comes',
    'an event counts as delivered before the store has it',
    CRASHES,
    [
      'client/receiving.ts',
      '    journal.receive(events, () => {\n',
      '    for (const { conv, event } of events) this.#acknowledge(conv, event.seq)\n    journal.receive(events, () => {\n',
    ],
  ),
  mutant(
    28,
    'not-marked-as-again',
    'what comes again after a crash does not say so',
    CRASHES,
    [
      'client/delivery.ts',
      'return redelivered ? { ...event, redelivered } : event',
      'return event',
    ],
    { rows: [10, 11], because: 'one test shows what a crash repeats' },
  ),
  mutant(
    29,
    'cursors-go-with-the-position',
    'without its position the client forgets what was handed over',
    SDK_RECEIVING,
    [
      'client/journal.ts',
      'for (const cursor of contents.cursors) this.#cursors.set(cursor.conv, cursor)',
      'for (const cursor of contents.session.inbox === null ? [] : contents.cursors) this.#cursors.set(cursor.conv, cursor)',
    ],
  ),
  mutant(34, 'read-undone', 'a late delivered undoes read', 'client/receipts.test.ts', [
    'client/outgoing-message.ts',
    "} else if (this.#status === 'sent' && kind === 'delivered') {",
    "} else if (kind === 'delivered') {",
  ]),
  mutant(
    36,
    'shown-when-stored',
    'a message is shown when the store has it, not when it is sent',
    SDK_SENDING,
    [
      'client/sender.ts',
      '    entry.write = this.#add(entry, origin, found)\n    this.list.set(entry)\n',
      '    entry.write = this.#add(entry, origin, found)\n    void message.queued.then(() => this.list.set(entry))\n',
    ],
  ),
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
    39,
    'seen-is-delivered',
    'the acknowledgement that a message was read has the type of delivered',
    SDK_SENDING,
    [
      'client/outgoing-message.ts',
      'this.#acknowledged(AckType.SEEN, at, by)',
      'this.#acknowledged(AckType.DELIVERED, at, by)',
    ],
  ),
  mutant(
    40,
    'retry-begins-anew',
    'retry() forgets since when the message has been under way',
    SDK_SENDING,
    [
      'client/sender.ts',
      'const again = { since, mayHaveBeenSent, isRepeat',
      'const again = { since: null, mayHaveBeenSent, isRepeat',
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
  mutant(
    42,
    'one-by-one',
    'a receipt marks the message that it names and none before it',
    RECEIPTS,
    [
      'client/receipts.ts',
      'seqs === null ? seq <= upTo : seqs.includes(seq)',
      'seqs === null ? seq === upTo : seqs.includes(seq)',
    ],
    { rows: [6, 34], because: 'one receipt is for all before it there, too' },
  ),
  mutant(43, 'linear-backoff', 'delays grow by a step, not by a factor', 'client/client.test.ts', [
    'client/backoff.ts',
    'config.multiplier ** Math.min(retry, 64)',
    '(1 + Math.min(retry, 64))',
  ]),
  mutant(
    44,
    'refused-and-sent-again',
    'GROUP_NOT_FOUND is sent again',
    ERRORS,
    [
      'client/outbox.ts',
      'else if (!error.retryable) {',
      "else if (!error.retryable && error.code !== 'GROUP_NOT_FOUND') {",
    ],
    { rows: [45], because: 'its table has the four codes, too' },
  ),
  mutant(45, 'retry-after-ignored', 'a client does not wait as long as it is told to', ERRORS, [
    'client/outbox.ts',
    '      error.retryAfterMs ??\n      (error.code',
    '      (error.code',
  ]),
  mutant(46, 'herd', 'idle clients come back all at once', 'client/connection.test.ts', [
    'client/connection.ts',
    'const spreadMs = uniform(ports.random) * this.#spreadMs',
    'const spreadMs = 0 * this.#spreadMs',
  ]),
  mutant(
    58,
    'repeated-push-handed-on',
    'an event that is pushed again is handed to the application again',
    SDK_RECEIVING,
    [
      'client/subscription.ts',
      'if (this.#isClosed || event.seq <= this.#cursor) return',
      'if (!this.#isClosed && event.seq <= this.#cursor) this.#hand(event)\n    if (this.#isClosed || event.seq <= this.#cursor) return',
    ],
    { rows: [7, 28], because: 'row 58 is rows 7 and 28 once more' },
  ),
]
