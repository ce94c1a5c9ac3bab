import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  CloseCode,
  decodeFrames,
  ERROR_CODES,
  ProtocolError,
  REQUEST_SCHEMAS,
  SERVER_SCHEMAS,
} from '#protocol'
import { ADMIN_CODES } from '../node/admin/admin-problem.ts'

const page = readFileSync(new URL('protocol.md', import.meta.url), 'utf8').replace(/ +/g, ' ')
const examples = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map((match) => match[1]!.trim())

test('[WP8] every example of the page is a frame', () => {
  expect(examples.length).toBeGreaterThan(15)
  for (const example of examples) {
    const direction = /"t": ?"[a-z]+:R"/.test(example) ? 'toServer' : 'toClient'
    const decoded = decodeFrames(example, 'parley.v1.json', direction as 'toServer')
    expect(decoded.filter((frame) => frame instanceof ProtocolError)).toEqual([])
  }
})

test.each([...Object.keys(REQUEST_SCHEMAS), ...Object.keys(SERVER_SCHEMAS)])(
  '[WP8] the page tells of %s and its fields',
  (frameType) => {
    expect(page).toContain(frameType)
    const schemas = { ...REQUEST_SCHEMAS, ...SERVER_SCHEMAS }
    const schema = schemas[frameType as keyof typeof schemas]
    const variants = Object.entries(schema.variants?.fields ?? {})
    const names = [
      ...Object.keys(schema.fields),
      ...variants.flatMap(([op, fields]) => [op, ...Object.keys(fields)]),
    ]
    expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([])
  },
)

test('[WP8] the page has every code as the implementation has it', () => {
  for (const [code, { category, retryable, outcome }] of Object.entries(ERROR_CODES)) {
    expect(page).toContain(
      `| \`${code}\` | ${category} | ${retryable ? 'yes' : 'no'} | ${outcome} |`,
    )
  }
  for (const code of Object.values(CloseCode)) expect(page).toContain(`| ${code} |`)
})

test('[WP8] the page has every code that only operators meet', () => {
  for (const [code, { status, retryable }] of Object.entries(ADMIN_CODES)) {
    expect(page).toContain(`| \`${code}\` | ${status} | ${retryable ? 'yes' : 'no'} |`)
  }
})

test('[WP8] the page has every code under its HTTP status', () => {
  const rows = [...page.matchAll(/^\| ([45]\d\d) \| (`[A-Z].*) \|$/gm)]
  const statuses = new Map(rows.map(([, status, codes]) => [Number(status), codes!]))
  for (const [code, { status }] of Object.entries(ERROR_CODES)) {
    expect(statuses.get(status), `${status}`).toContain(`\`${code}\``)
  }
})
