import type { SeededBug } from './seeded-bug.ts'

export const FEATURE_BUGS: readonly SeededBug[] = [
  {
    name: 'first-edit-wins',
    story: 'of several edits of a message the first counts',
    file: 'node/state-machine/target-operations.ts',
    find: 'amendments.amend(conversation, target, { edited: conversation.head })',
    replace:
      'amendments.amend(conversation, target, {\n        edited: amendments.find(conversation, target)?.edited || conversation.head,\n      })',
    breaks: ['P17'],
  },
  {
    name: 'recall-leaves-the-text',
    story: 'a recall takes away the edits of a message, and not its own text',
    file: 'node/state-machine/present-events.ts',
    find: 'if (isGone(own) || isGone(of) || isCutOff)',
    replace: 'if (isGone(of) || isCutOff)',
    breaks: ['P17'],
  },
  {
    name: 'receipt-before-record',
    story: 'a receipt is acknowledged before the log has it',
    file: 'node/receipts/gateway-receipts.ts',
    find: '    return (await Promise.all(done)).find((error) => error !== null) ?? null',
    replace: '    void Promise.all(done)\n    return null',
    breaks: ['P10'],
  },
  {
    name: 'receipt-beyond-the-end',
    story: 'whoever acknowledges more than there is has what comes later',
    file: 'node/state-machine/cursors.ts',
    find: 'const last = Math.min(visible[i + 1]!, upTo, head)',
    replace: 'const last = Math.min(visible[i + 1]!, upTo)',
    breaks: ['P10'],
  },
]
