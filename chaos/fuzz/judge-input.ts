import { getHeapStatistics } from 'node:v8'
import type { Target } from './target.ts'
import { violated } from './target.ts'

/** Nothing that one input asks for may take longer. */
const LONGEST_MS = 50
/** A decoder may make so many bytes of each byte, numbers and objects included, and not one more. */
export const BYTES_PER_BYTE = 400
const ALLOWED_BYTES = 1 << 20
/**
 * What took too long or too much is asked again, by the time of this thread on a processor: a busy
 * machine is not the decoder's fault.
 */
const ATTEMPTS = 4

/**
 * One verdict under measurement. The heap is read before and after, garbage and buffers included: a
 * collection in between can only hide an allocation, so what is seen is real.
 */
export async function judgeInput(target: Target, bytes: Uint8Array): Promise<string | null> {
  const allowed = (target.allowedBytes ?? ALLOWED_BYTES) + bytes.length * BYTES_PER_BYTE
  for (let attempt = 1; ; attempt++) {
    const beforeBytes = allocatedBytes()
    const startMs = performance.now()
    const startCpuMs = attempt === 1 ? 0 : cpuMs()
    const verdict = target.judge(bytes)
    const reason = verdict instanceof Promise ? await verdict : verdict
    const tookMs = attempt === 1 ? performance.now() - startMs : cpuMs() - startCpuMs
    const tookBytes = allocatedBytes() - beforeBytes
    for (const key in {}) violated(`every object has a key ${key} now`)
    if (tookMs <= LONGEST_MS && tookBytes <= allowed) return reason
    if (attempt < ATTEMPTS) continue
    if (tookBytes > allowed) violated(`${bytes.length} bytes made it allocate ${tookBytes}`)
    violated(`${bytes.length} bytes kept it busy for ${Math.round(tookMs)} ms`)
  }
}

function allocatedBytes(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics()
  return heap + external
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}
