import { runSeed } from '../simulation/run-seed.ts'

/** What nodes wrote to their peers and to their disks while a small cluster lived and failed. */
export interface Captured {
  /** By kind; of each kind at most so many, the first and then ever rarer ones. */
  readonly frameBodies: ReadonlyMap<number, readonly Uint8Array[]>
}

const SEED = 7
const KEPT_PER_KIND = 200
const HEADER_BYTES = 9

/** The same bytes for the same program: the run is simulated. */
export async function capture(): Promise<Captured> {
  const frameBodies = new Map<number, Uint8Array[]>()
  const seen = new Map<number, number>()
  await runSeed({
    seed: SEED,
    safetyMs: 6_000,
    swarm: { nodes: 3, faults: ['kill', 'wipe', 'transfer'], faultEveryMs: 1_500, devices: 3 },
    prepare: ({ network }) => {
      const { tap } = network
      network.tap = (process, bytes, toHost) => {
        tap(process, bytes, toHost)
        keep(bytes)
      }
    },
  })
  return { frameBodies }

  function keep(written: Uint8Array): void {
    const bytes = Buffer.from(written)
    for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
      const end = at + 4 + bytes.readUInt32LE(at)
      const kind = bytes[at + 8]!
      const count = (seen.get(kind) ?? 0) + 1
      seen.set(kind, count)
      const kept = frameBodies.get(kind) ?? []
      frameBodies.set(kind, kept)
      const body = bytes.subarray(at + HEADER_BYTES, end)
      if (kept.length < KEPT_PER_KIND) kept.push(body)
      else if (count % KEPT_PER_KIND === 0) kept[(count / KEPT_PER_KIND) % KEPT_PER_KIND] = body
      at = end
    }
  }
}
