import type { SeededBug } from './seeded-bug.ts'

export const GATEWAY_BUGS: readonly SeededBug[] = [
  {
    name: 'read-does-not-wait',
    story: 'a linearizable read learns how far it must see and does not wait for it',
    file: 'node/gateway/handlers/read-position.ts',
    find: "return 'error' in position ? position.error : reachIndex(position.index, context)",
    replace: "return 'error' in position ? position.error : null",
    breaks: ['P6', 'P12'],
  },
  {
    name: 'mark-ignored',
    story: 'a node that lags shows itself to a device that has seen more elsewhere',
    file: 'node/gateway/handlers/read-position.ts',
    find: '  return reachIndex(position.index, context)\n}',
    replace: '  return null\n}',
    breaks: ['P6', 'P8', 'P12', 'P13', 'P14'],
  },
  {
    name: 'serves-before-caught-up',
    story: 'a started node serves at once, with what its disk held',
    file: 'node/node-wiring.ts',
    find: 'serving: () => this.catchUp.done && !this.gateway.isDraining,',
    replace: 'serving: () => !this.gateway.isDraining,',
    // A mark of a node that knows no cluster yet is refused ever after: its device gets no verdict.
    breaks: ['P6', 'P8', 'P9', 'P12', 'P13', 'R9', 'R10', 'P14'],
  },
  {
    name: 'page-skips-one',
    story: 'a page names the first seq behind it where the last one in it belongs',
    file: 'node/state-machine/event-page.ts',
    find: 'return page(events, upTo, upTo, upTo < head, gap)',
    replace: 'return page(events, upTo + 1, upTo, upTo < head, gap)',
    breaks: ['P1', 'P4', 'P6', 'P14'],
  },
  {
    name: 'timeout-is-final',
    story: 'a write whose outcome is unknown is refused for good',
    file: 'node/forwarder.ts',
    find: "this.#error('OUTCOME_UNKNOWN', 'no result yet; send it again with the same msgId')",
    replace: "this.#error('INVALID_MESSAGE', 'no result yet; send it again with the same msgId')",
    breaks: ['P1', 'P7', 'P9', 'P14'],
  },
]
