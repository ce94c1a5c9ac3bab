import type { Prng } from '../prng.ts'
import type { Operation } from '../workload/operation.ts'
import type { Swarm } from './swarm.ts'

type Drawing = Pick<
  Swarm,
  'conversations' | 'thinkMs' | 'moveShare' | 'pullShare' | 'repeatShare' | 'crashShare'
> & {
  readonly devices: readonly { readonly device: string; readonly sdk?: object }[]
}

/** Devices go on reading for so long after the faults are healed. */
const READING_ON_MS = 5_000

/** Everything that the devices of a run will try, in order. Writes end with the faults. */
export function drawOperations(prng: Prng, drawing: Drawing, safetyMs: number): Operation[] {
  const operations: Operation[] = []
  for (const { device, sdk } of drawing.devices) {
    const own = prng.split(device)
    const crashes = prng.split(`${device} crashes`)
    const crashShare = sdk === undefined ? 0 : drawing.crashShare
    for (let atMs = 0; ;) {
      atMs += -Math.log(1 - own.float()) * drawing.thinkMs
      if (atMs >= safetyMs + READING_ON_MS) break
      const operation = drawOperation(own, drawing, Math.round(atMs * 1_000) / 1_000, device)
      if (operation.kind !== 'send' || atMs < safetyMs) operations.push(operation)
      if (atMs >= safetyMs || !crashes.chance(crashShare)) continue
      const [keeps, forMs] = [crashes.chance(0.7), crashes.pick([0, 20, 1_000, 6_000])]
      operations.push({ atMs: operation.atMs, device, kind: 'crash', keeps, forMs })
    }
  }
  return operations.toSorted((a, b) => a.atMs - b.atMs)
}

function drawOperation(prng: Prng, drawing: Drawing, atMs: number, device: string): Operation {
  const { conversations, moveShare, pullShare, repeatShare } = drawing
  if (prng.chance(moveShare)) return { atMs, device, kind: 'move' }
  // The first conversations are the busy ones.
  const conversation = Math.floor(conversations * prng.float() ** 2)
  if (prng.chance(pullShare)) {
    const linearizable = prng.chance(0.5)
    return { atMs, device, kind: 'pull', conversation, linearizable, back: prng.below(30) }
  }
  if (prng.chance(repeatShare)) return { atMs, device, kind: 'repeat', back: prng.below(50) }
  const padding = prng.chance(0.05) ? prng.below(4_000) : 0
  return { atMs, device, kind: 'send', conversation, padding }
}
