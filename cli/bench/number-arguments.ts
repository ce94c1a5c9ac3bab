import { InvalidArgumentError } from 'commander'

/** A whole number between these. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= least && value <= most) return value
    throw new InvalidArgumentError(`It must be an integer from ${least} to ${most}.`)
  }
}

const MOST_PER_SECOND = 1_000_000

/** How often something happens, per second. */
export function parseRate(text: string): number {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && value > 0 && value <= MOST_PER_SECOND) return value
  throw new InvalidArgumentError(`It must be a number above 0, at most ${MOST_PER_SECOND}.`)
}

/** A share of `20%`. */
export function parsePercent(text: string): number {
  const match = /^(\d+(?:\.\d+)?)%$/.exec(text)
  if (match === null || Number(match[1]) > 1_000) {
    throw new InvalidArgumentError('Write it like 25%.')
  }
  return Number(match[1]) / 100
}
