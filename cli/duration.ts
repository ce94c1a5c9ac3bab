import { InvalidArgumentError } from 'commander'

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** Milliseconds of `250ms`, `10s`, `5m`, `1h`; fractions allowed, a unit required. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text)
  if (match === null) throw new InvalidArgumentError('Write it like 250ms, 10s, 5m or 1h.')
  return Number(match[1]) * UNITS[match[2] as string]!
}
