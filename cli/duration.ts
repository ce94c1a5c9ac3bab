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

/** For people, to two units: `0.1s`, `12s`, `4m`, `4h12m`, `3d4h`. */
export function longDuration(ms: number): string {
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)}s`
  const seconds = Math.floor(ms / 1_000)
  if (seconds < 60) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m${seconds % 60 === 0 ? '' : `${seconds % 60}s`}`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours}h${minutes % 60 === 0 ? '' : `${minutes % 60}m`}`
  const days = Math.floor(hours / 24)
  return `${days}d${hours % 24 === 0 ? '' : `${hours % 24}h`}`
}
