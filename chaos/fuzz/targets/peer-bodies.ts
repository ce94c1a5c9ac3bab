import { PeerFrameKind, PeerProtocolError } from '#cluster'
import { ClusterFormation } from '../../../cluster/membership/formation.ts'
import { MemoryLog } from '../../../cluster/log/memory-log.ts'
import { decodeAck, decodeChunk, decodeOffer } from '../../../cluster/snapshot/snapshot-frames.ts'
import {
  decodeHello,
  decodeRefusal,
  objection,
  type PeerHello,
} from '../../../cluster/transport/peer-hello.ts'
import { decodeAnswer, decodeCall } from '../../../node/admin/call-frame.ts'
import { decodeRefusals } from '../../../node/forward-frame.ts'
import { decodeSessionReport } from '../../../node/push/session-report.ts'
import { decodeStanding } from '../../../node/peer-standings.ts'
import { decodeHashPoint } from '../../../node/state-audit.ts'
import type { Prng } from '../../prng.ts'
import type { Captured } from '../capture.ts'
import { mutate } from '../mutate.ts'
import { refusalOr, type Target, violated } from '../target.ts'
import { editTree, randomTree, toTree } from '../values.ts'
import { toJsonText } from '../write-tree.ts'

const LOCAL: PeerHello = {
  protocol: { min: 1, max: 1 },
  clusterId: '00112233445566778899aabbccddeeff',
  epoch: 'feedfacecafebeef',
  raftId: 'a1a1a1a1a1a1a1a1',
  name: 'n1',
}
const PEER: PeerHello = { ...LOCAL, raftId: 'b2b2b2b2b2b2b2b2', name: 'n2' }
const MEMBER = {
  id: PEER.raftId,
  name: PEER.name,
  peerAddress: '127.0.0.1:7502',
  clientUrl: 'http://127.0.0.1:7402',
}
const CONFIGURATION = {
  voters: [MEMBER],
  outgoing: [],
  learners: [{ ...MEMBER, id: LOCAL.raftId }],
}

interface Body {
  /** Said by a healthy peer. */
  readonly samples: readonly unknown[]
  readonly decode: (body: Uint8Array) => unknown
}

const { clusterId, epoch } = PEER
const FORMATION = { clusterId, epoch, configuration: CONFIGURATION }

const BODIES = {
  hello: {
    samples: [PEER, { ...PEER, clusterId: '', epoch: '' }],
    decode: (body) => {
      const hello = decodeHello(body)
      objection(LOCAL, hello, {})
      return hello
    },
  },
  refused: {
    samples: [{ code: 'WRONG_CLUSTER', message: 'n1 belongs to another cluster' }],
    decode: (body) => {
      const message = decodeRefusal(body)
      if (typeof message !== 'string') violated('a refusal says nothing')
      return undefined
    },
  },
  offer: {
    samples: [{ id: 7, term: 3, meta: { index: 9, term: 2, configuration: CONFIGURATION } }],
    decode: decodeOffer,
  },
  ack: { samples: [{ id: 7, offset: 1_000, state: 'more' }], decode: decodeAck },
  hash: { samples: [{ index: 10_000, hash: '00112233' }], decode: decodeHashPoint },
  sessions: {
    samples: [
      { term: 2, part: 'only', here: [{ user: 'ann', device: 'phone' }], gone: [] },
      { term: 2, part: 'change', here: [], gone: [{ user: 'ann', device: 'phone' }] },
    ],
    decode: decodeSessionReport,
  },
  refusals: {
    samples: [[{ origin: 1, request: 2, code: 'OVERLOADED' }]],
    decode: decodeRefusals,
  },
  'operator-call': {
    samples: [
      { origin: 1, id: 2, operation: 'leadership.transfer', parameters: '{"to":"n2"}', waitMs: 9 },
    ],
    decode: decodeCall,
  },
  'operator-answer': {
    samples: [
      { origin: 1, id: 2, outcome: 'result', body: '{"from":"n1","to":"n2"}' },
      { origin: 1, id: 2, outcome: 'notLeader', body: '{}' },
      {
        ...{ origin: 1, id: 2, outcome: 'problem' },
        body: '{"code":"UNSAFE","status":409,"message":"no","retryable":false,"outcome":"notApplied"}',
      },
    ],
    decode: decodeAnswer,
  },
  standing: { samples: [{ draining: true, ready: false }], decode: decodeStanding },
  formation: { samples: [FORMATION], decode: (body) => formedBy(PeerFrameKind.form, body) },
  join: { samples: [FORMATION], decode: (body) => formedBy(PeerFrameKind.join, body) },
  formed: { samples: [{ clusterId }], decode: (body) => formedBy(PeerFrameKind.formed, body) },
  stranger: { samples: [{ clusterId }], decode: (body) => formedBy(PeerFrameKind.stranger, body) },
} satisfies Record<string, Body>

/** Control frames in JSON whose checksum was right: a peer of another build, or a broken one. */
export class PeerBodies implements Target {
  readonly #body: Body

  constructor(name: keyof typeof BODIES) {
    this.#body = BODIES[name]
  }

  static readonly names = Object.keys(BODIES) as (keyof typeof BODIES)[]

  make(random: Prng): Uint8Array {
    if (random.chance(0.05)) return Buffer.from(toJsonText(random, randomTree(random)))
    let tree = toTree(random.pick(this.#body.samples))
    do tree = editTree(random, tree)
    while (random.chance(0.4))
    const bytes = Buffer.from(toJsonText(random, tree))
    return random.chance(0.2) ? mutate(random, bytes, [bytes]) : bytes
  }

  judge(bytes: Uint8Array): string | null {
    const { decode } = this.#body
    const result = refusalOr([PeerProtocolError], () => decode(bytes))
    if ('refusal' in result) return result.refusal
    if (result.value === undefined) return null
    // As text, where zero has no sign: whatever was let in is what it says, and nothing else.
    const text = JSON.stringify(result.value)
    if (JSON.stringify(decode(Buffer.from(text))) !== text) violated('it comes back as another')
    return null
  }
}

/** Chunks of a snapshot, which are no JSON. */
export class SnapshotChunks implements Target {
  readonly #samples: readonly Uint8Array[]

  constructor({ frameBodies }: Captured) {
    const samples = frameBodies.get(PeerFrameKind.snapshotChunk) ?? []
    if (samples.length === 0) violated('no chunk was captured')
    this.#samples = samples.map((sample) => sample.subarray(0, 4_096))
  }

  make(random: Prng): Uint8Array {
    const sample = random.pick(this.#samples)
    return mutate(random, sample.subarray(0, random.chance(0.5) ? 32 : undefined), this.#samples)
  }

  judge(bytes: Uint8Array): string | null {
    const result = refusalOr([PeerProtocolError], () => decodeChunk(bytes))
    if ('refusal' in result) return result.refusal
    const { id, offset, bytes: content } = result.value
    if (!Number.isSafeInteger(id) || !Number.isSafeInteger(offset)) violated('a number is none')
    if (content.length >= bytes.length) violated('a chunk holds more than came')
    return null
  }
}

/** What an empty node makes of it: nothing that it keeps is looked at, only whether it may stay. */
function formedBy(kind: PeerFrameKind, body: Uint8Array): undefined {
  const nothing = (): void => undefined
  const formation = new ClusterFormation({
    log: new MemoryLog({ raftId: LOCAL.raftId }),
    name: LOCAL.name,
    initialMembers: [{ ...MEMBER, name: 'n1' }],
    random: { uint32: () => 1, bytes: (length) => new Uint8Array(length) },
    logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    peers: () => [],
    sendJson: () => true,
    onFormed: nothing,
    onComplete: nothing,
    onStranger: nothing,
    onFatal: (error) => {
      throw error
    },
  })
  formation.readFrame(PEER, kind, body)()
}
