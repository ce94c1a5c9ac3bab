import type { SeededBug } from './seeded-bug.ts'

export const STATE_BUGS: readonly SeededBug[] = [
  {
    name: 'results-not-loaded',
    story: 'what was already sent is remembered by the process, not by its checkpoint',
    file: 'node/state-machine/application-state.ts',
    find: '    await state.dedupe.load(state.#dedupeBlocks(), state.settings.windowMs)\n',
    replace: '',
    breaks: ['P2', 'P3', 'P9', 'R7', 'R9', 'R17', 'P14'],
  },
  {
    name: 'copy-answered-with-head',
    story: 'a copy is answered with the newest seq of its conversation',
    file: 'node/state-machine/results.ts',
    find: 'return { ok: true, conv, msgId, seq, ord, at, inbox: null, duplicate: true, now }',
    replace:
      'return { ok: true, conv, msgId, seq: conversation.head, ord, at, inbox: null, duplicate: true, now }',
    breaks: ['P1', 'P2', 'P3', 'P9', 'P14'],
  },
  {
    name: 'other-body-accepted',
    story: 'a copy with another body gets the answer of the first',
    file: 'node/state-machine/results.ts',
    find: '      first.replyTo === view.replyTo &&\n      Buffer.compare(first.payload(), view.payload()) === 0',
    replace: '      first.replyTo === view.replyTo',
    breaks: ['P9', 'P1', 'P7'],
  },
  {
    name: 'clock-in-apply',
    story: 'the time of a message is taken where it is applied',
    file: 'node/state-machine/state-machine.ts',
    find: 'conversation.beginEntry(stamp.wallTime)',
    replace: 'conversation.beginEntry(this.#options.clock.wallMs())',
    breaks: ['P3', 'R7', 'R17'],
  },
  {
    name: 'time-falls',
    story: 'the time of a message follows a wall clock that is set back',
    file: 'node/state-machine/conversation.ts',
    find: 'const at = Math.max(conversation.lastAt, this.#wallTime)',
    replace: 'const at = this.#wallTime',
    breaks: ['P4'],
  },
  {
    name: 'checkpoint-of-a-moving-state',
    story: 'a conversation that changes while a checkpoint is written is written as it is by then',
    file: 'node/state-machine/checkpointer.ts',
    find: 'encodeConversation(conversation, conversation.frozen ?? conversation, inHead)',
    replace: 'encodeConversation(conversation, conversation, inHead)',
    breaks: ['R7', 'R9', 'R17'],
  },
  {
    name: 'checkpoint-in-two-batches',
    story: 'a checkpoint that takes long is synced in pieces, each of which counts as whole',
    file: 'node/store/checkpoint-run.ts',
    find: '      else this.#writer.put(this.#open, key, value)\n      if (this.#pacer.due()) await this.#pause()\n',
    replace:
      '      else this.#writer.put(this.#open, key, value)\n      if (this.#pacer.due()) {\n        await this.#commit(BatchKind.cut, cut)\n        this.#open = this.#writer.begin()\n      }\n',
    breaks: ['R7', 'R9', 'R17'],
  },
  {
    name: 'events-let-go-early',
    story: 'events that came while a checkpoint was written count as written by it',
    file: 'node/state-machine/checkpointer.ts',
    find: 'state.hot.written(frozen.nextEvent)',
    replace: 'state.hot.written(state.hot.next)',
    breaks: ['R9', 'P1', 'P4'],
  },
  {
    name: 'snapshot-of-a-moving-store',
    story: 'a snapshot is read from the store as it is, while checkpoints change it',
    file: 'node/store/pinned-cut.ts',
    find: 'const range = { ...outsideRange, snapshot: this.#snapshot, fetchBytes }',
    replace: 'const range = { ...outsideRange, fetchBytes }',
    breaks: ['R7', 'R9', 'R10', 'R17'],
  },
]
