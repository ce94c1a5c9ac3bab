import { decodeBody } from '#protocol'
import type { RetentionPolicy } from '../../state-machine/commands.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/** Sets of bounds by name. `paper`: 30 days, 1,000 messages, 100 MB of one sender. */
const PRESETS: Readonly<Record<string, RetentionPolicy>> = {
  paper: { maxAgeMs: 30 * DAY_MS, maxCount: 1_000, maxBytes: 100_000_000 },
}

/** The policy that a client's value means, `null` for none, or a sentence that says what is wrong. */
export function readPolicyValue(bytes: Uint8Array): RetentionPolicy | null | string {
  const value = decodeBody(bytes)
  if (value === null) return null
  if (typeof value !== 'object' || Array.isArray(value) || value instanceof Uint8Array) {
    return 'retention is an object or null.'
  }
  const fields = value as Readonly<Record<string, unknown>>
  const preset = fields['preset'] ?? undefined
  if (preset !== undefined && (typeof preset !== 'string' || !Object.hasOwn(PRESETS, preset))) {
    return `retention.preset is one of: ${Object.keys(PRESETS).join(', ')}.`
  }
  const policy: { -readonly [K in keyof RetentionPolicy]: RetentionPolicy[K] } = {
    ...(preset === undefined ? {} : PRESETS[preset]),
  }
  for (const name of ['maxAgeMs', 'maxCount', 'maxBytes'] as const) {
    const bound = fields[name] ?? undefined
    if (bound === undefined) continue
    if (typeof bound !== 'number' || !Number.isSafeInteger(bound) || bound < 1) {
      return `retention.${name} is an integer from 1 to 2^53-1.`
    }
    policy[name] = bound
  }
  if (Object.keys(policy).length > 0) return policy
  return 'retention names maxAgeMs, maxCount, maxBytes or preset; null keeps everything.'
}
