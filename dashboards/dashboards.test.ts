import { readFileSync } from 'node:fs'
import { format } from 'prettier'
import { describe, expect, test } from 'vitest'
import { alertRules } from './alert-rules.ts'
import { DASHBOARDS } from './all-dashboards.ts'
import { render } from './dashboard.ts'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')

const RULES = alertRules()

test.each(DASHBOARDS.map((dashboard) => [dashboard.id, dashboard] as const))(
  '[OE2] %s is what its declaration says',
  async (id, dashboard) => {
    const panels = dashboard.rows.flatMap((row) => row.panels)
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length)
    for (const panel of panels) expect(panel.description.length).toBeGreaterThan(10)
    const text = await format(JSON.stringify(render(dashboard)), {
      parser: 'json',
      printWidth: 100,
    })
    // When it differs on purpose: vitest run dashboards/dashboards.test.ts -u
    await expect(text).toMatchFileSnapshot(`grafana/${id}.json`)
  },
)

describe('alerts', () => {
  const sections = [...read('../docs/operations.md').matchAll(/^### (Parley\w+)$/gm)].map(
    ([, name]) => name,
  )

  test('[OE3] each says how bad it is and where to read on', () => {
    expect(RULES.length).toBeGreaterThan(25)
    for (const { name, text } of RULES) {
      expect(text, name).toMatch(/severity: (warning|critical)/)
      expect(text, name).toMatch(/^ +for: \d+[smh]$/m)
      expect(text, name).toMatch(/^ +summary: .{10}/m)
      expect(text, name).toContain(`runbook_url: docs/operations.md#${name.toLowerCase()}\n`)
    }
  })

  test('[OE3] each has its section in the runbook, in the same order, and no other', () => {
    expect(sections).toEqual(RULES.map(({ name }) => name))
  })
})
