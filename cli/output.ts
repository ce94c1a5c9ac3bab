import Table from 'cli-table3'

/** Data, for people or programs: the only thing that goes to stdout. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** One JSON document on a line of its own. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value))
}

/** Everything that is not data: progress, hints, warnings. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** Columns without borders: they read well and `grep` and `awk` take them apart. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const none = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
    left: '',
    'left-mid': '',
    mid: '',
    'mid-mid': '',
    right: '',
    'right-mid': '',
    middle: '  ',
  }
  const made = new Table({
    head: [...head],
    chars: none,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  made.push(...rows.map((row) => [...row]))
  return made
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}
