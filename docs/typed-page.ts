/** A command of a page and, below it, what it printed. */
export interface Typed {
  readonly command: string
  readonly output: readonly string[]
}

/** What a terminal shows, between two fences of a page: commands begin with `$ `. */
export interface Terminal {
  /** Where its content is in the text of the page. */
  readonly start: number
  readonly end: number
  readonly typed: readonly Typed[]
}

/** Of any language: the end of one must not be taken for the beginning of the next. */
const FENCES = /^```(\w*)\n([\s\S]*?)^```$/gm

export function terminalsOf(page: string): Terminal[] {
  return [...page.matchAll(FENCES)].flatMap((match) => {
    const [, language = '', content = ''] = match
    if ((language !== '' && language !== 'text') || !content.startsWith('$ ')) return []
    const start = match.index + match[0].indexOf('\n') + 1
    return [{ start, end: start + content.length, typed: typedIn(content) }]
  })
}

/** A line that ends with a backslash goes on in the next one. */
function typedIn(content: string): Typed[] {
  const typed: { command: string; output: string[] }[] = []
  let isCut = false
  for (const line of content.trimEnd().split('\n')) {
    const last = typed.at(-1)
    if (line.startsWith('$ ')) typed.push({ command: line.slice(2), output: [] })
    else if (isCut && last !== undefined) last.command += `\n${line}`
    else last?.output.push(line)
    isCut = line.endsWith('\\') && (line.startsWith('$ ') || isCut)
  }
  return typed
}

/** The page with other content in some of its terminals. */
export function withTerminals(page: string, changed: ReadonlyMap<Terminal, Typed[]>): string {
  let text = page
  for (const [{ start, end }, typed] of [...changed].sort(([a], [b]) => b.start - a.start)) {
    const lines = typed.flatMap(({ command, output }) => [`$ ${command}`, ...output])
    text = `${text.slice(0, start)}${lines.join('\n')}\n${text.slice(end)}`
  }
  return text
}

/** How far something is: more or fewer of them, as the machine is quick. */
const PROGRESS = [
  /^parley: n\d (is catching up|is getting|is being removed|does not answer|votes)/,
  /^parley: waiting for n\d to answer/,
  /^parley: #$/,
  /^parley: start n\d, if it does not run yet/,
  /^ parley node --name n\d --join /,
  /^n\d (leadership|clients) · /,
  // Said of whoever happens to lead.
  /^ note: n\d leads: /,
  /^parley: # · #\/s · p99 /,
  // Of a bench: of this machine, and of what the moment brought; its exit code is the verdict.
  /^(errors|verified|nodes|machine) /,
  // Of what was acknowledged last the commit is on disk, or not yet.
  /^may be lost kept are also the entries/,
]

/** What is the same each time: no times, sizes, numbers, ids, no widths of columns, not who leads. */
export function lasting(output: readonly string[]): string[] {
  return output
    .map((line) =>
      line
        .replace(/\b([0-9a-f]{16,64}|(?<=cli-)[0-9a-f]{12})\b/g, 'ID')
        .replace(/\bbench-[0-9a-f]{8}\b/g, 'bench-ID')
        .replace(/\d{4}-\d\d-\d\d(T[\d:.]+Z)?/g, 'DATE')
        .replace(
          /(?<![A-Za-z_\d.])(\d[\d.,]*(?<=\d)( ?(ms|[KMGT]iB|bytes|B|s|min|m|h|d|%)(?![A-Za-z]))?)+/g,
          '#',
        )
        .replace(/(?<=^|\s)-(?=\s|$)/g, '#')
        .replace(/(?<=# \w+)s\b/g, '')
        .replace(/(?<=# more )\((memory|descriptors|maxConnections)\)/g, '(LIMIT)')
        .replace(/\b(leader|follower)( n\d)?\b/g, 'leader')
        .replace(/(?<=\bfrom )n\d\b/g, 'n#')
        .replace(/\s+/g, ' ')
        .trimEnd(),
    )
    .filter((line) => line !== '' && !PROGRESS.some((pattern) => pattern.test(line)))
}
