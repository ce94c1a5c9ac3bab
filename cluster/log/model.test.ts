import assert from 'node:assert/strict'
import { describe, expect, it } from 'vitest'
import type { AppendRequest } from './log-storage.ts'
import { MemoryLog } from './memory-log.ts'
import { SegmentLog } from './segment-log.ts'
import { CrashFileSystem } from './testing/crash-file-system.ts'
import {
  ALICE,
  BOB,
  FORMATION,
  append,
  configuration,
  configurationEntry,
  contentOf,
  entries,
} from './testing/log-samples.ts'
import { ManualClock } from '../testing/manual-clock.ts'
import { SeededRandom } from '../testing/seeded-random.ts'

const SEEDS = 60
const STEPS = 60

/** Drives a log on disk and one in memory through the same life; they must say the same. */
class Twins {
  readonly #random: SeededRandom
  readonly #clock = new ManualClock()
  readonly #memory = new MemoryLog({ raftId: ALICE })
  #disk = new CrashFileSystem()
  #log: SegmentLog | null = null

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
  }

  async live(): Promise<void> {
    await this.#open()
    await this.#memory.form(FORMATION)
    await this.#log!.form(FORMATION)
    for (let step = 0; step < STEPS; step++) {
      await this.#step()
      this.#compare()
    }
    await this.#log!.close()
  }

  async #step(): Promise<void> {
    const luck = this.#random.below(20)
    if (luck < 13) await this.#append(this.#tail())
    else if (luck < 14) await this.#append(this.#snapshot())
    else if (luck < 16) await this.#compact()
    else if (luck < 17) this.#clock.advance(150)
    else if (luck < 18) await this.#reopen()
    else if (luck < 19) this.#disk.deferred = !this.#disk.deferred
    else await new Promise((resolve) => setImmediate(resolve))
  }

  /** More entries, mostly at the end, sometimes replacing what is not committed. */
  #tail(): Partial<AppendRequest> {
    const { commit, term, vote } = this.#memory.hardState
    const last = this.#memory.lastIndex()
    const uncommitted = last - commit
    const replaced = this.#random.below(4) === 0 ? this.#random.below(uncommitted + 1) : 0
    const first = last + 1 - replaced
    const next = Math.max(term, this.#memory.term(last)!) + (replaced > 0 ? 1 : 0)
    const count = this.#random.below(5)
    const added = entries(first, first + count - 1, next, this.#random.below(1500))
    if (this.#random.below(8) === 0) {
      added.push(configurationEntry(first + count, next, ALICE, BOB))
    }
    const end = added.length > 0 ? first + added.length - 1 : last
    const risen = commit + this.#random.below(Math.max(1, first - commit))
    const hardState = { term: next, vote: next > term ? BOB : vote, commit: Math.min(end, risen) }
    return { entries: added, hardState: this.#random.below(3) > 0 ? hardState : null }
  }

  #snapshot(): Partial<AppendRequest> {
    const { commit, term, vote } = this.#memory.hardState
    const index = commit + 1 + this.#random.below(40)
    const newer = term + 1
    return {
      snapshot: { index, term: newer, configuration: configuration(BOB) },
      hardState: { term: newer, vote: newer > term ? ALICE : vote, commit: index },
    }
  }

  async #append(request: Partial<AppendRequest>): Promise<void> {
    await append(this.#memory, request)
    const done = append(this.#log!, request)
    this.#compare()
    await done
  }

  async #compact(): Promise<void> {
    const first = this.#log!.firstIndex()
    const { commit } = this.#memory.hardState
    if (commit < first) return
    const index = first + this.#random.below(commit - first + 1)
    const term = this.#memory.term(index)!
    await this.#log!.compact({ index, term, configuration: this.#memory.configurationAt(index) })
    assert.ok(this.#log!.firstIndex() <= index + 1)
  }

  /** By a clean stop, or by a power cut that leaves what was synced and some of the rest. */
  async #reopen(): Promise<void> {
    if (this.#random.below(2) === 0) await this.#log!.close()
    else this.#disk = this.#disk.crash(this.#random.uint32())
    await this.#open()
  }

  async #open(): Promise<void> {
    this.#log = await SegmentLog.open({
      fileSystem: this.#disk,
      clock: this.#clock,
      random: this.#random,
      directory: '/data/log',
      segmentBytes: 4096 << this.#random.below(3),
      cacheBytes: this.#random.below(3) * 2000,
    })
  }

  #compare(): void {
    const log = this.#log!
    const from = log.firstIndex()
    assert.ok(from >= this.#memory.firstIndex())
    assert.deepEqual(contentOf(log), contentOf(this.#memory, from))
    assert.equal(log.term(from - 1), this.#memory.term(from - 1))
    assert.deepEqual(log.configurationAt(from - 1), this.#memory.configurationAt(from - 1))
    const low = from + this.#random.below(log.lastIndex() - from + 2)
    const maxBytes = this.#random.below(4000)
    const read = log.entries(low, log.lastIndex() + 1, maxBytes)!
    const expected = this.#memory.entries(low, log.lastIndex() + 1, maxBytes)!
    assert.equal(read.length, expected.length)
  }
}

describe('SegmentLog and MemoryLog', () => {
  it('[LG15] say the same at every moment of any life', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      await expect(new Twins(seed).live(), `seed ${seed}`).resolves.toBeUndefined()
    }
  })
})
