// What earlier versions wrote is read for ever: the bytes in this folder are never changed, only added to.
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeConfiguration, type Logger, NO_FAILPOINTS } from '#cluster'
import { ByteWriter } from '../../cluster/log/byte-writer.ts'
import {
  decodeBatch,
  encodeAppend,
  encodeHead,
  encodeKept,
} from '../../cluster/log/record-codec.ts'
import {
  ALICE,
  BOB,
  configuration,
  entries,
  FORMATION,
} from '../../cluster/log/testing/log-samples.ts'
import { decodeChunk, encodeChunk } from '../../cluster/snapshot/snapshot-frames.ts'
import {
  decodeMessage,
  encodeMessage,
  type PeerMessage,
} from '../../cluster/transport/message-codec.ts'
import { NodeClock } from '../../node/host/node-clock.ts'
import { NodeFileSystem } from '../../node/host/node-file-system.ts'
import { NodeRandom } from '../../node/host/node-random.ts'
import { openNodeData } from '../../node/node-data.ts'
import type { NodePorts, NodeSettings } from '../../node/node-settings.ts'
import { encodeBatch } from '../../node/state-machine/batch-codec.ts'
import { decodeCommand, encodeCommand } from '../../node/state-machine/command-codec.ts'
import type { Command, CommandKind } from '../../node/state-machine/commands.ts'
import { directConversationId } from '../../node/state-machine/conversation-id.ts'
import { FEATURE_LEVELS } from '../../node/state-machine/feature-level.ts'
import { DEFAULT_SETTINGS } from '../../node/state-machine/settings.ts'
import {
  decodeStateRecord,
  encodeStateRecord,
  type StateRecord,
} from '../../node/state-machine/state-record.ts'
import {
  create,
  cursors,
  edit,
  message,
  push,
  raise,
  react,
  recall,
  refuse,
  remove,
  revoke,
  setting,
} from '../../node/state-machine/testing.ts'
import { LevelDatabaseFactory } from '../../node/store/level-database.ts'

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} }
const LEVELS = [1, 2]
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const GOLDEN = JSON.parse(readFileSync(join(import.meta.dirname, 'golden.json'), 'utf8')) as Record<
  string,
  string
>

/** One of every kind; a kind without one does not compile. */
const COMMANDS: Record<keyof typeof CommandKind, Command> = {
  message: message({ user: 'ann', msgId: 'm1', to: 'ben', since: 77, body: 'hi' }),
  conversation: create({ user: 'ann', msgId: 'm2' }, 'ben', 'cy'),
  refuse: refuse({ user: 'ann', msgId: 'm3', conv: 'c1' }, 'REJECTED_SPAM'),
  edit: edit({ user: 'ann', msgId: 'm4', conv: 'c1', target: 7, body: 'ho' }),
  recall: recall({ user: 'ann', msgId: 'm5', conv: 'c1', target: 7 }),
  reaction: react({ user: 'ann', msgId: 'm6', conv: 'c1', target: 7, reaction: '👍' }),
  cursors: cursors(['ann', 'c1', 'read', 9]),
  settings: setting({ windowMs: 5_000, amendWithinMs: 60_000 }),
  retention: remove({ op: 'expire', from: 'c1', seqs: [3, 5, 300] }),
  push: push('ann', 'phone', { op: 'claim', inbox: 300 }),
  account: revoke('ann', 'phone', 12_345),
  level: raise(2),
}

const RECORD: StateRecord = {
  ...{ index: 300, term: 4, logTime: 99_999, windowStart: 7, hash: [1, 2, 3], conversations: 5 },
  ...{ users: 6, lastVerdict: 8, purgedVerdict: 1, seedHigh: 10, seedLow: 11 },
  settings: { ...DEFAULT_SETTINGS, groupMembers: 77 },
  level: 1,
  configuration: encodeConfiguration(configuration(ALICE, BOB)),
  ...{ revocationBlocks: Uint8Array.of(1), pushBlocks: Uint8Array.of(2) },
  removals: { last: 3, erased: 2 },
  dedupeCuts: [{ index: 250, blocks: 2, maxLogTime: 99_000, lastVerdict: 7 }],
}

const ENVELOPE = { from: ALICE, to: BOB, term: 9 }
const MESSAGES: Record<string, PeerMessage> = {
  append: {
    type: 'append',
    ...ENVELOPE,
    prevIndex: 4,
    prevTerm: 8,
    commit: 4,
    entries: entries(5, 6, 9),
  },
  vote: { type: 'vote', ...ENVELOPE, lastIndex: 5, lastTerm: 8, transfer: true },
}

function written(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter()
  writer.reset(0)
  write(writer)
  return Uint8Array.from(writer.buffer.subarray(0, writer.length))
}

/** What this version writes, by a name that says in which version of which format. */
const SAMPLES: Record<string, Uint8Array> = {
  ...Object.fromEntries(
    Object.entries(COMMANDS).map(([kind, command]) => [
      `command/1/${kind}`,
      encodeCommand(command),
    ]),
  ),
  'batch/1': encodeBatch({ logTime: 5, wallTime: 6 }, [encodeCommand(COMMANDS.message)]),
  'state/3': encodeStateRecord(RECORD),
  'state/4': encodeStateRecord({
    ...RECORD,
    level: 2,
    settings: { ...RECORD.settings, amendWithinMs: 9 },
  }),
  ...Object.fromEntries(
    Object.entries(MESSAGES).map(([type, one]) => [`peer/1/${type}`, encodeMessage(one, 0)]),
  ),
  'peer/1/chunk': encodeChunk({ id: 1, offset: 2, last: true, bytes: Buffer.from('chunk') }),
  'log/1/head': written((writer) =>
    encodeHead(writer, {
      ...{ raftId: ALICE, segment: 2, keptFrom: 1, formation: FORMATION },
      position: { index: 4, term: 3, configuration: configuration(ALICE) },
      hardState: { term: 3, vote: ALICE, commit: 4 },
    }),
  ),
  'log/1/append': written((writer) => {
    const snapshot = { index: 9, term: 3, configuration: configuration(ALICE, BOB) }
    const hardState = { term: 4, vote: BOB, commit: 9 }
    encodeAppend(writer, { snapshot, entries: entries(10, 12, 4), hardState })
    encodeKept(writer, 3)
  }),
}

const FRAME_HEADER_BYTES = 9

/** Reads the bytes with this version and writes them again. */
function again(name: string, bytes: Buffer): Uint8Array | null {
  const [format] = name.split('/')
  const body = bytes.subarray(FRAME_HEADER_BYTES)
  if (format === 'command') return encodeCommand(decodeCommand(bytes))
  if (format === 'state') return encodeStateRecord(decodeStateRecord(bytes))
  if (name === 'peer/1/chunk') return encodeChunk(decodeChunk(body))
  if (format === 'peer') return encodeMessage(decodeMessage(body, BOB).message, 0)
  if (format === 'log') decodeBatch(bytes)
  return null
}

describe('bytes of every format', () => {
  test('[A9] are what they were: what changes gets another version, and a name of its own here', () => {
    const changed = Object.entries(SAMPLES)
      .filter(([name, bytes]) => GOLDEN[name] !== hex(bytes))
      .map(([name, bytes]) => `"${name}": "${hex(bytes)}"`)
    expect(changed).toEqual([])
  })

  test('[A9] are read, those of earlier versions too, and written as they were', () => {
    for (const [name, text] of Object.entries(GOLDEN)) {
      const bytes = again(name, Buffer.from(text, 'hex'))
      if (bytes !== null) expect([name, hex(bytes)]).toEqual([name, text])
    }
  })
})

describe('data directories of earlier versions', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'parley-formats-'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  test('there is one for every feature level', () => {
    expect(LEVELS.at(-1)).toBe(FEATURE_LEVELS.max)
  })

  test.each(LEVELS)(
    '[A9] level %i: opened, replayed, and all that was said is there',
    async (level) => {
      await cp(join(import.meta.dirname, `level-${level}`), directory, { recursive: true })
      const fileSystem = new NodeFileSystem()
      const ports = {
        ...{ clock: new NodeClock(), random: new NodeRandom(), fileSystem },
        databases: new LevelDatabaseFactory(fileSystem),
      } as unknown as NodePorts
      const settings = {
        ...{ name: 'n1', dataDirectory: directory, initialMembers: [], foundAlone: false },
        log: { segmentBytes: 8_192 },
      } as unknown as NodeSettings
      const onFailure = (error: Error) => {
        throw error
      }
      const data = await openNodeData(settings, ports, {
        ...{ logger: SILENT, failpoints: NO_FAILPOINTS, onFailure },
      })
      const { log, stateMachine, stores } = data
      try {
        const next = stateMachine.appliedIndex + 1
        // From its own checkpoint on, not from nothing.
        expect(next).toBeGreaterThan(1)
        for (const entry of log.entries(next, log.lastIndex() + 1, Infinity) ?? []) {
          await stateMachine.prefetch(entry)
          stateMachine.apply(entry)
        }
        expect(stateMachine.reader).toMatchObject({
          level,
          settings: { groupMembers: 77, amendWithinMs: level > 1 ? 60_000 : 0 },
        })
        const id = directConversationId('alice', 'bob')
        const page = await stateMachine.reader.eventsAfter(id, 'alice', 0, 100)
        const said = page!.events.map(({ seq, from, body }) => [
          seq,
          from,
          Buffer.from(body!)
            .toString()
            .match(/[a-z]+/)![0],
        ])
        expect(said).toEqual([
          [1, 'alice', 'one'],
          [2, 'alice', 'two'],
          [3, 'alice', 'three'],
          [4, 'bob', 'four'],
        ])
      } finally {
        await stateMachine.close()
        await stores.close()
        await log.close()
      }
    },
  )
})
