import { InvalidArgumentError, Option } from 'commander'

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** Milliseconds of `250ms`, `10s`, `5m`, `1h`; fractions allowed, a unit required. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text)
  if (match === null) throw new InvalidArgumentError('Write it like 250ms, 10s, 5m or 1h.')
  return Number(match[1]) * UNITS[match[2] as string]!
}

/** An option that takes a duration; its help shows the default as one would type it. */
export function durationOption(flag: string, description: string, preset: string): Option {
  return new Option(`${flag} <duration>`, description)
    .argParser(parseDuration)
    .default(parseDuration(preset), preset)
}
