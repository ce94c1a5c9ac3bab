/** Run as a child process by `kill.test.ts`: checkpoints without end, until it is killed. */
import { openSmall } from './rotten-store.fixture.ts'
import type { Cut, Put } from './store.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** Checkpoint number `round`, the same at every call. */
export function cutOf(round: number): Cut {
  const ahead: Put[] = Array.from({ length: 60 }, (_, i) => ({
    key: text(`v/${round}/${i}`),
    value: new Uint8Array(40_000).fill((round * 31 + i) & 255),
  }))
  const objects: Put[] = Array.from({ length: 300 }, (_, i) => ({
    key: text(`o/${(round * 97 + i * 7) % 1000}`),
    value: (round + i) % 11 === 0 ? null : text(`${i} as of ${round}`),
  }))
  return { index: round, term: 1, ahead, objects }
}

if (process.send !== undefined && process.argv[2] === 'write') {
  const { store, damaged } = await openSmall(process.argv[3]!)
  if (store === null) throw damaged!
  for (let round = (store.cut?.index ?? 0) + 1; ; round++) {
    process.send({ begun: round })
    await store.checkpoint(cutOf(round))
    process.send({ acknowledged: round })
  }
}
