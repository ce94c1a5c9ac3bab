import { describe, expect, test } from 'vitest'
import { encodeConfiguration, type Entry, type RaftStatus } from '#cluster'
import { asBuffer } from '../../../cluster/as-buffer.ts'
import { encodeCommand } from '../../../node/state-machine/command-codec.ts'
import { CommandView } from '../../../node/state-machine/command-view.ts'
import { type Command, CommandKind, SYSTEM_HEAD } from '../../../node/state-machine/commands.ts'
import { raise } from '../../../node/state-machine/testing.ts'
import { CommittedEntries } from './committed-entries.ts'
import { ConfigurationSafety } from './configuration-safety.ts'
import { LevelSafety } from './level-safety.ts'
import {
  A,
  B,
  C,
  configurationOf,
  NOTHING,
  entryOf,
  changeOf,
  headOf,
  holding,
  watch,
  on,
  status,
} from './testing.ts'

describe('[R15] configurations', () => {
  const D = 'dddddddddddddddd'
  const world = () => {
    const disks = [holding([1, 1], A), holding([1, 1], B), holding([1, 1], C)]
    const committed = new CommittedEntries(() => disks)
    const judge = new ConfigurationSafety(committed, () => disks)
    const replica = on('a', disks[0])
    const disk = watch(judge, replica)
    disk.hold(headOf(A, 2, 1))
    const say = (fields: Partial<RaftStatus>, voters = [A, B, C]) => {
      const now = { ...replica, configuration: configurationOf(voters) }
      judge.onStatus(now, status(A, { lastIndex: disk.lastIndex, ...fields }))
    }
    const commit = (index: number) =>
      committed.onStatus(replica, status(A, { role: 'leader', commit: index, lastIndex: 9 }))
    const put = (...entries: Entry[]) => disk.hold({ ...NOTHING, entries })
    return { put, say, commit, disks }
  }

  test('[R15] that change by two voters at once', () => {
    expect(() => world().put(changeOf(3, 1, [A, B]))).not.toThrow()
    expect(() => world().put(changeOf(3, 1, [A, B, D]))).toThrow('R15')
    expect(() => world().put(changeOf(3, 1, [A]))).toThrow('R15')
  })

  test('[R15] that follow one that is not committed', () => {
    const { put, say, commit } = world()
    commit(2)
    put(changeOf(3, 1, [A, B]))
    expect(() => say({})).not.toThrow()
    put(changeOf(4, 1, [A, B, D]))
    expect(() => say({})).toThrow('was not committed')
  })

  test('[R15] that come before an entry of the leader’s own term', () => {
    const { put, say, commit } = world()
    commit(2)
    put(changeOf(3, 2, [A, B]))
    expect(() => say({})).toThrow('an entry of its own')
  })

  test('[R15] [MR2] by which one votes that lacks too much', () => {
    const { say, commit, disks } = world()
    commit(2)
    const leads = (commit: number, voters: string[]) => () =>
      say({ role: 'leader', commit, persisted: 0 }, voters)
    disks.push(holding([1], D))
    leads(2, [A, B, C])()
    expect(leads(3, [A, B, C, D])).not.toThrow()
    leads(100, [A, B, C])()
    expect(leads(101, [A, B, C, D])).toThrow('lets dddddddddddddddd vote')
  })

  test('[R15] [MR3] with two voters of one name', () => {
    const { put } = world()
    const { voters, ...others } = configurationOf([A, B, C])
    const both = { ...others, voters: [...voters, { ...voters[0]!, id: D }] }
    const change = { ...changeOf(3, 1, []), data: encodeConfiguration(both) }
    expect(() => put(change)).toThrow('two voters of one name')
  })

  test('[R15] that are not the newest in the log', () => {
    const { put, say, commit } = world()
    commit(2)
    put(changeOf(3, 1, [A, B]))
    expect(() => say({ persisted: 3 }, [A, B])).not.toThrow()
    expect(() => say({ persisted: 3 }, [A, B, C])).toThrow('R15')
    put(entryOf(3, 2))
    expect(() => say({ persisted: 3 }, [A, B])).toThrow('R15')
  })
})

describe('[R22] feature levels', () => {
  const world = () => {
    const disks = [holding([1, 1], A), holding([1, 1], B)]
    const committed = new CommittedEntries(() => disks)
    const judge = new LevelSafety(committed)
    const says = (command: Command, index: number) => {
      const bytes = encodeCommand(command)
      judge.onCommand(new CommandView(asBuffer(bytes), 0, bytes.length), { index, term: 1 })
      judge.onStatus(on('a', disks[0], [A, B]))
    }
    const commit = (index: number) =>
      committed.onStatus(
        on('a', disks[0], [A, B]),
        status(A, { role: 'leader', commit: index, lastIndex: 9 }),
      )
    return { judge, says, commit, older: { ...on('b', disks[1]), mostLevel: 1 } }
  }
  const newer = {
    ...{ kind: CommandKind.settings, ...SYSTEM_HEAD, origin: 1, request: 1 },
    changes: { amendWithinMs: 1 },
  } as const

  test('[R22] a command before its level is committed', () => {
    const { says, commit } = world()
    says(raise(2), 2)
    expect(() => says(newer, 3)).toThrow('R22')
    commit(2)
    expect(() => says(newer, 3)).not.toThrow()
    expect(() => says(newer, 1)).toThrow('R22')
    expect(() => says({ ...newer, changes: { devices: 1 } }, 1)).not.toThrow()
  })

  test('[R22] a level that a member cannot do', () => {
    const { judge, says, older } = world()
    says(raise(2), 2)
    judge.onStarted(older)
    expect(() => says(raise(2), 3)).toThrow('can do 1')
    judge.onStarted({ ...older, mostLevel: 2 })
    expect(() => says(raise(2), 4)).not.toThrow()
  })
})
