import { afterEach, describe, expect, test } from 'vitest'
import { type File, type FileSystem, Replica } from '#cluster'
import { DedupeTable } from '../../node/state-machine/dedupe-table.ts'
import { quorumIndex } from '../../cluster/raft/quorum.ts'
import { Raft } from '../../cluster/raft/raft.ts'
import { RaftState } from '../../cluster/raft/raft-state.ts'
import { type RunOptions, type RunResult, runSeed } from './run-seed.ts'
import type { SimWorld } from './sim-world.ts'
import type { Swarm } from './swarm.ts'

/**
 * Bugs that real systems shipped, put back on purpose: a simulator that does not find them proves
 * nothing by finding none.
 */
const undo: (() => void)[] = []
afterEach(() => {
  for (const one of undo.splice(0)) one()
})

function replaceMethod<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  make: (original: T[K]) => T[K],
): void {
  const original = prototype[name]
  undo.push(() => (prototype[name] = original))
  prototype[name] = make(original)
}

async function firstViolation(
  seeds: number,
  options: Omit<RunOptions, 'seed'>,
): Promise<RunResult['violation']> {
  for (let seed = 1; seed <= seeds; seed++) {
    const { violation } = await runSeed({ seed, ...options })
    if (violation !== null) return violation
  }
  return null
}

const busy: Partial<Swarm> = {
  nodes: 3,
  devices: 4,
  conversations: 1,
  thinkMs: 60,
  window: 4,
  faultEveryMs: 300,
}

describe('bugs put back are found', () => {
  test('[R9] a vote that is forgotten when its replica steps down', async () => {
    replaceMethod(
      RaftState.prototype,
      'becomeFollower',
      (original) =>
        function (this: RaftState, term, leader) {
          original.call(this, term, leader)
          this.vote = ''
        },
    )
    const violation = await firstViolation(10, {
      safetyMs: 20_000,
      swarm: { ...busy, faults: ['kill', 'isolate', 'halves', 'oneWay', 'pause'] },
    })
    // The log itself refuses to write it.
    expect(violation?.message).toMatch('a second vote in term')
  })

  test('[R5] an entry of an older term that is committed by counting', async () => {
    const leaders = new Map<string, RaftState>()
    replaceMethod(
      RaftState.prototype,
      'becomeLeader',
      (original) =>
        function (this: RaftState) {
          original.call(this)
          leaders.set(this.id, this)
        },
    )
    replaceMethod(
      Raft.prototype,
      'step',
      (original) =>
        function (this: Raft, message) {
          original.call(this, message)
          const state = leaders.get(message.to)
          if (message.type !== 'appendResponse' || state?.role !== 'leader') return
          const index = quorumIndex(state.quorum, (id) => state.progress.get(id)?.match ?? 0)
          if (index > state.log.commit) state.commitTo(index)
        },
    )
    const violation = await firstViolation(10, {
      safetyMs: 20_000,
      swarm: { ...busy, faults: ['kill', 'isolate', 'halves', 'oneWay', 'slowDisk', 'transfer'] },
    })
    expect(violation?.property).toBe('R5')
  })

  test('[R4] an acknowledgement before the sync', async () => {
    replaceMethod(
      Raft.prototype,
      'ready',
      (original) =>
        function (this: Raft) {
          const ready = original.call(this)
          if (ready.append === null) return ready
          const messages = [...ready.messages, ...ready.append.responses]
          return { ...ready, messages, append: { ...ready.append, responses: [] } }
        },
    )
    const violation = await firstViolation(3, { safetyMs: 5_000, swarm: busy })
    expect(violation?.property).toBe('R4')
  })

  test('[R4] a disk that says “synced” first and writes later', async () => {
    const violation = await firstViolation(3, {
      safetyMs: 5_000,
      swarm: busy,
      prepare: acknowledgeEarly,
    })
    expect(violation?.property).toBe('R4')
  })

  test('[P6] a linearizable read that asks nobody', async () => {
    replaceMethod(
      Replica.prototype,
      'readIndex',
      () =>
        function (this: Replica) {
          return Promise.resolve(this.status().applied)
        },
    )
    const violation = await firstViolation(6, {
      safetyMs: 8_000,
      swarm: { ...busy, pullShare: 0.5, moveShare: 0, faults: ['isolate', 'slowLink', 'oneWay'] },
    })
    expect(violation?.property).toBe('P6')
  })

  test('[R16] a pre-vote that raises the term of whoever is asked', async () => {
    const states = new Map<string, RaftState>()
    replaceMethod(
      RaftState.prototype,
      'becomeFollower',
      (original) =>
        function (this: RaftState, term, leader) {
          states.set(this.id, this)
          original.call(this, term, leader)
        },
    )
    replaceMethod(
      Raft.prototype,
      'step',
      (original) =>
        function (this: Raft, message) {
          const state = states.get(message.to)
          if (message.type === 'preVote' && state !== undefined && message.term > state.term) {
            state.becomeFollower(message.term, '')
          }
          original.call(this, message)
        },
    )
    const violation = await firstViolation(6, {
      safetyMs: 8_000,
      swarm: { ...busy, faults: ['isolate', 'halves', 'oneWay', 'kill'] },
    })
    expect(violation?.property).toBe('R16')
  })

  test('[P2] a copy of a message that is not known as one', async () => {
    replaceMethod(DedupeTable.prototype, 'find', () => () => 0)
    const violation = await firstViolation(3, {
      safetyMs: 10_000,
      swarm: { ...busy, window: 1, repeatShare: 0.2, faults: ['kill'], faultEveryMs: 2_000 },
    })
    expect(violation?.property).toBe('P2')
  })
})

/** A log whose `writeAndSync` reports success first and writes, in order, some time later. */
function acknowledgeEarly(world: SimWorld): void {
  for (const { platter } of world.nodes) {
    const portOf = platter.portOf.bind(platter)
    platter.portOf = (process): FileSystem => {
      const port = portOf(process)
      const open: FileSystem['open'] = async (path, options) => {
        const file: File = await port.open(path, options)
        if (!path.includes('/log/')) return file
        let earlier = new Promise<void>((resolve) => world.scheduler.after(500, process, resolve))
        return {
          ...file,
          writeAndSync: (buffer, position, done) => {
            const copy = buffer.slice()
            earlier = earlier.then(
              () => new Promise((written) => file.writeAndSync(copy, position, () => written())),
            )
            earlier = earlier.then(
              () => new Promise((resolve) => world.scheduler.after(20, process, resolve)),
            )
            done(null)
          },
        }
      }
      return { ...port, open }
    }
  }
}
