import type { Drill } from './drill.ts'

/** By the name that is typed. */
export const DRILLS: Readonly<Record<string, Drill>> = {
  'kill-leader': {
    summary: 'kill -9 whoever leads, in mid-send, and start it again',
    steps: [{ do: 'kill', node: 'leader' }, { do: 'start' }],
  },
  'kill-follower': {
    summary: 'kill -9 a node that does not lead, and start it again',
    steps: [{ do: 'kill', node: 'follower' }, { do: 'start' }],
  },
  'pause-leader': {
    summary: 'freeze whoever leads (SIGSTOP) until another one does, and let it go on',
    steps: [{ do: 'pause', node: 'leader' }, { do: 'resume' }],
  },
  'stop-leader': {
    summary: 'stop whoever leads in order (SIGTERM), and start it again',
    steps: [{ do: 'stop', node: 'leader' }, { do: 'start' }],
  },
  'isolate-leader': {
    summary: 'cut whoever leads off from all others until another one does, and heal that',
    steps: [{ do: 'partition', node: 'leader' }, { do: 'heal' }],
  },
  'mute-leader': {
    summary: 'let nobody hear whoever leads, which still hears all, and heal that',
    steps: [{ do: 'partition', node: 'leader', oneWay: true }, { do: 'heal' }],
  },
  halves: {
    summary: 'four nodes, two and two: neither half may say that anything is sent, until healed',
    nodes: 4,
    // Longer than it takes nodes to notice.
    steps: [{ do: 'partition', node: 'half', holdMs: 4_000 }, { do: 'heal' }],
  },
}
