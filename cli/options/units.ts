const DURATIONS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const SIZES: Record<string, number> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

/** Milliseconds of `250ms`, `1.5s`, `5m`, `12h`, `7d`; `null` if it is none. */
export const readDuration = (text: string): number | null => read(text, DURATIONS)

/** Bytes of `4096`, `64KiB`, `1.5GiB`; whole ones; `null` if it is none. */
export const readBytes = (text: string): number | null => {
  const bytes = /^\d+$/.test(text) ? Number(text) : read(text, SIZES)
  return Number.isSafeInteger(bytes) ? bytes : null
}

/** The inverse, in the largest unit that leaves no fraction. */
export const formatDuration = (ms: number): string => write(ms, DURATIONS, 'ms')
export const formatBytes = (bytes: number): string => write(bytes, SIZES, 'B')

function read(text: string, units: Record<string, number>): number | null {
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/.exec(text)
  const unit = units[match?.[2] ?? '']
  return match === null || unit === undefined ? null : Number(match[1]) * unit
}

function write(value: number, units: Record<string, number>, smallest: string): string {
  const fitting = Object.entries(units).findLast(([, size]) => value !== 0 && value % size === 0)
  const [unit, size] = fitting ?? [smallest, 1]
  return `${value / size}${unit}`
}
