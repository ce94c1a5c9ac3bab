import { describe, expect, it } from 'vitest'
import {
  DEV_DISK_LIMITS,
  DiskLevel,
  diskLevel,
  type DiskLimits,
  lookAfterMs,
} from './disk-level.ts'
import { diskDoor } from './disk-quorum.ts'

const { ok, low, hard, spent } = DiskLevel
const IDS = ['a', 'b', 'c', 'd', 'e']

/** Of `a`, which leads, and the others in order. */
function door(...levels: readonly (DiskLevel | null)[]) {
  const ids = IDS.slice(0, levels.length)
  return diskDoor('a', ids, (id) => levels[ids.indexOf(id)]!)
}

describe('the door of a leader', () => {
  it.each([
    { levels: [ok, ok, ok], takes: [true, true] },
    { levels: [ok, ok, hard], takes: [true, true] },
    { levels: [low, ok, ok], takes: [true, true] },
    { levels: [ok, low, low], takes: [false, true] },
    { levels: [low, low, low], takes: [false, true] },
    { levels: [hard, ok, ok], takes: [false, true] },
    { levels: [ok, ok, ok, low, low], takes: [true, true] },
    { levels: [ok, ok, low, low, hard], takes: [false, true] },
    { levels: [hard, hard, spent], takes: [false, true] },
    { levels: [hard, spent, spent], takes: [false, false] },
    { levels: [spent, ok, ok], takes: [false, false] },
    { levels: [low], takes: [false, true] },
    // Nobody knows of any disk that is short: what is missing is a majority, and no room.
    { levels: [ok, null, null], takes: [true, true] },
    { levels: [ok, null, low], takes: [false, true] },
    { levels: [ok, ok, null, null, low], takes: [false, true] },
  ] as const)('[D4] with disks at $levels takes $takes', ({ levels, takes }) => {
    const { takesWrites, takesCursors } = door(...levels)
    expect([takesWrites, takesCursors]).toEqual(takes)
  })
})

describe('levels', () => {
  const limits: DiskLimits = { lowBytes: 1_000, hardBytes: 100, reserveBytes: 0 }

  it('[D1] are left a tenth above where they are entered', () => {
    const walk: DiskLevel[] = []
    let level: DiskLevel = ok
    for (const free of [1_000, 999, 1_099, 1_100, 99, 109, 111, 1_099, 1_100, 0, 5_000]) {
      walk.push((level = diskLevel(level, free, limits)))
    }
    expect(walk).toEqual([ok, low, low, ok, hard, hard, low, low, ok, hard, ok])
  })

  it('[D1] are looked for sooner near a bound than a fast writer gets there', () => {
    const MIB = 1024 * 1024
    const after = (level: DiskLevel, free: number) =>
      Math.round(lookAfterMs(level, free * MIB, DEV_DISK_LIMITS))
    expect([10_000, 320, 128, 65, 0].map((free) => after(ok, free))).toEqual([
      1_000, 1_000, 256, 100, 100,
    ])
    expect([64, 33].map((free) => after(low, free))).toEqual([128, 100])
    expect(after(hard, 31)).toBe(1_000)
    for (let free = 2_000, level: DiskLevel = ok; level < hard;) {
      free -= (after(level, free) / 1_000) * 200
      level = diskLevel(level, free * MIB, DEV_DISK_LIMITS)
      // At 200 MiB/s no bound is passed by more than a second look takes away.
      if (level === hard) expect(free).toBeGreaterThan(8)
    }
  })
})
