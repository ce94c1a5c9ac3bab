/** One query of a panel: PromQL, and how its series are called. */
export type Query = readonly [expression: string, legend: string]

/** What one value of a panel means. */
export type State = readonly [name: string, color: 'green' | 'orange' | 'red' | 'blue' | 'text']

export interface Panel {
  readonly title: string
  /** What it shows, what is normal, what a bad shape means. */
  readonly description: string
  /** Of Grafana: `s`, `bytes`, `ops`, `short`… */
  readonly unit: string
  readonly queries: readonly Query[]
  /** @default 'timeseries' */
  readonly kind?: 'timeseries' | 'stat' | 'state-timeline'
  /** From this value on it is drawn in red. */
  readonly limit?: number
  /** Below this value it is drawn in red. */
  readonly least?: number
  /** Whether it may be below zero. */
  readonly signed?: boolean
  /** What the values 0, 1, 2 … are called, and how they are drawn. */
  readonly states?: readonly State[]
  /** Shows something only after what seldom happens, as a snapshot: a quantile of nothing until then. */
  readonly rare?: boolean
}

export interface Dashboard {
  readonly id: string
  readonly title: string
  readonly rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[]
}

const PANELS_PER_LINE = 3
const WIDTH = 24 / PANELS_PER_LINE
const HEIGHT = 8
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' }
const METRIC = /\b((?:parley|process|nodejs)_\w+)(?:\{([^}]*)\})?/g

/** The expression for the cluster and the nodes that were chosen on top of the page; a drill is no node. */
export function scoped(expression: string): string {
  return expression.replace(METRIC, (_, metric: string, matchers: string | undefined) => {
    const own = matchers === undefined ? '' : `, ${matchers}`
    const nodes = metric.startsWith('parley_chaos_') ? '' : ', instance=~"$instance"'
    return `${metric}{cluster="$cluster"${nodes}${own}}`
  })
}

/** The metrics that an expression reads. */
export function metricsIn(expression: string): string[] {
  return [...expression.matchAll(METRIC)].map(([, metric]) => metric as string)
}

/** What Grafana imports. */
export function render(dashboard: Dashboard): object {
  let y = 0
  let id = 0
  const panels: object[] = []
  for (const row of dashboard.rows) {
    const gridPos = { h: 1, w: 24, x: 0, y }
    panels.push({ id: ++id, type: 'row', title: row.title, collapsed: false, gridPos, panels: [] })
    y += 1
    row.panels.forEach((panel, at) => {
      const line = Math.floor(at / PANELS_PER_LINE)
      const place = { h: HEIGHT, w: WIDTH, x: (at % PANELS_PER_LINE) * WIDTH, y: y + line * HEIGHT }
      panels.push(renderPanel(panel, ++id, place))
    })
    y += Math.ceil(row.panels.length / PANELS_PER_LINE) * HEIGHT
  }
  return {
    uid: dashboard.id,
    title: dashboard.title,
    tags: ['parley'],
    editable: true,
    graphTooltip: 1,
    refresh: '10s',
    schemaVersion: 39,
    time: { from: 'now-1h', to: 'now' },
    links: [
      { type: 'dashboards', title: 'Parley', tags: ['parley'], asDropdown: true, keepTime: true },
    ],
    templating: { list: VARIABLES },
    annotations: { list: [LEADER_CHANGES] },
    panels,
  }
}

function renderPanel(panel: Panel, id: number, gridPos: object): object {
  const { kind = 'timeseries', limit, least, signed, states, rare } = panel
  const steps = [
    { color: least === undefined ? 'green' : 'red', value: null },
    ...(least === undefined ? [] : [{ color: 'green', value: least }]),
    ...(limit === undefined ? [] : [{ color: 'red', value: limit }]),
  ]
  const isBounded = limit !== undefined || least !== undefined
  const custom =
    isBounded && kind === 'timeseries' ? { thresholdsStyle: { mode: 'line' } } : CUSTOM[kind]
  return {
    id,
    type: kind,
    title: panel.title,
    description: panel.description,
    datasource: DATASOURCE,
    gridPos,
    fieldConfig: {
      defaults: {
        unit: panel.unit,
        ...(signed === true ? {} : { min: 0 }),
        noValue: rare === true ? 'nothing of it so far' : 'no answer: are the nodes scraped?',
        thresholds: { mode: 'absolute', steps },
        ...(states === undefined ? {} : { mappings: [mapping(states)] }),
        custom,
      },
      overrides: [],
    },
    options: OPTIONS[kind],
    targets: panel.queries.map(([expression, legendFormat], at) => ({
      refId: String.fromCodePoint(65 + at),
      datasource: DATASOURCE,
      expr: scoped(expression),
      legendFormat,
    })),
  }
}

const CUSTOM = {
  timeseries: {},
  stat: {},
  'state-timeline': { fillOpacity: 70, lineWidth: 0 },
} as const

const OPTIONS = {
  timeseries: { tooltip: { mode: 'multi', sort: 'desc' } },
  stat: { colorMode: 'background', reduceOptions: { calcs: ['lastNotNull'] } },
  'state-timeline': { showValue: 'auto', mergeValues: true, tooltip: { mode: 'multi' } },
} as const

const mapping = (states: readonly State[]): object => ({
  type: 'value',
  options: Object.fromEntries(
    states.map(([text, color], value) => [String(value), { text, color, index: value }]),
  ),
})

const VARIABLES = [
  { name: 'datasource', label: 'Source', type: 'datasource', query: 'prometheus' },
  variable('cluster', 'Cluster', 'label_values(parley_build_info, cluster)', {}),
  variable('instance', 'Node', 'label_values(parley_build_info{cluster="$cluster"}, instance)', {
    multi: true,
    includeAll: true,
    allValue: '.+',
    current: { text: 'All', value: '$__all' },
  }),
]

function variable(name: string, label: string, query: string, more: object): object {
  return { name, label, type: 'query', datasource: DATASOURCE, query, refresh: 2, sort: 1, ...more }
}

const LEADER_CHANGES = {
  name: 'Leader changes',
  datasource: DATASOURCE,
  enable: true,
  iconColor: 'orange',
  expr: scoped('changes(parley_raft_is_leader[1m]) > 0 and parley_raft_is_leader == 1'),
  titleFormat: '{{instance}} leads',
}
