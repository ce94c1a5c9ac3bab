import { format } from 'prettier'

interface Metric {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly labels: readonly string[]
}

const SECTIONS: readonly (readonly [string, RegExp])[] = [
  ['The node', /^parley_(build|node|wall|ready|drain|feature|data_disk|writes|config)/],
  ['Raft and the log', /^parley_(raft|log)_/],
  ['Certificates and secrets', /^parley_(tls|peer_untrusted|audit)/],
  ['The other nodes', /^parley_(cluster|peer|forwarded)/],
  ['State and store', /^parley_(state|checkpoint|store|retention|removals|backup)/],
  ['Messages', /^parley_(messages|events|receipts|moderation|signals|rate_limited_writes)_/],
  ['Push to devices that are away', /^parley_push_(calls|waiting)/],
  ['A drill', /^parley_chaos_/],
  ['Clients', /^parley_/],
  ['The process', /./],
]

/** Every metric of a scrape in the text format, in its order. */
export function metricsOf(scrape: string): Metric[] {
  const lines = scrape.split('\n')
  return lines
    .filter((line) => line.startsWith('# HELP '))
    .map((line) => {
      const [, name = '', help = ''] = /^# HELP (\S+) (.*)$/.exec(line) ?? []
      const type = lines.find((each) => each.startsWith(`# TYPE ${name} `))?.split(' ')[3] ?? ''
      // What the runtime has to say depends on what it did so far.
      if (!name.startsWith('parley_')) return { name, type, help, labels: [] }
      const series = lines.filter((each) => /^\w+/.exec(each)?.[0].startsWith(name))
      const labels = new Set(
        series
          .filter((each) => new RegExp(`^${name}(_bucket|_sum|_count)?[{ ]`).test(each))
          .flatMap((each) =>
            [...each.matchAll(/[{,](\w+)="/g)].map(([, label]) => label as string),
          ),
      )
      labels.delete('le')
      return { name, type, help, labels: [...labels] }
    })
}

/** The page of all metrics, from a scrape of a running node. */
export async function metricsPage(scrape: string, introduction: string): Promise<string> {
  const metrics = metricsOf(scrape)
  const taken = new Set<string>()
  const sections = SECTIONS.map(([title, pattern]) => {
    const rows = metrics.filter(({ name }) => !taken.has(name) && pattern.test(name))
    for (const { name } of rows) taken.add(name)
    if (rows.length === 0) return ''
    const lines = rows.map(({ name, type, labels, help }) => {
      const labelled = labels.map((label) => `\`${label}\``).join(', ')
      return `| \`${name}\` | ${type} | ${labelled} | ${help.replaceAll('|', '\\|')} |`
    })
    return `## ${title}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n${lines.join('\n')}\n`
  })
  const text = `${introduction}\n\n${sections.filter((each) => each !== '').join('\n')}`
  return format(text, { parser: 'markdown', proseWrap: 'preserve' })
}
