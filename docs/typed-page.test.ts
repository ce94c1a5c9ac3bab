import { expect, test } from 'vitest'
import { lasting, terminalsOf, withTerminals } from './typed-page.ts'

const PAGE = `Before.

\`\`\`text
$ parley one
1 message
$ parley two \\
    --more
\`\`\`

\`\`\`yaml
$ no: terminal
\`\`\`

\`\`\`
$ parley three
\`\`\`

\`\`\`
what nobody typed
\`\`\`
`

test('what is typed on a page is found, with what it prints', () => {
  expect(terminalsOf(PAGE).map(({ typed }) => typed)).toEqual([
    [
      { command: 'parley one', output: ['1 message'] },
      { command: 'parley two \\\n    --more', output: [] },
    ],
    [{ command: 'parley three', output: [] }],
  ])
})

test('other output stands where the old one stood, and nothing else changes', () => {
  const [terminal] = terminalsOf(PAGE)
  const same = new Map([[terminal!, [...terminal!.typed]]])
  expect(withTerminals(PAGE, same)).toBe(PAGE)
  const other = new Map([[terminal!, [{ command: 'parley one', output: ['2', ''] }]]])
  expect(withTerminals(PAGE, other)).toBe(
    PAGE.replace(/\$ parley one[^`]*/, '$$ parley one\n2\n\n'),
  )
})

test('what varies is no difference, and what does not is one', () => {
  const same = (a: string, b: string) => expect(lasting([a])).toEqual(lasting([b]))
  same('HEALTHY · leader n1 for 1.9s · term 2', 'HEALTHY · leader n2 for 3m12s · term 31')
  same('n1  voter  leader    0  -', 'n1   voter  follower  12  0.1s')
  same('backed up x · 59.0 KiB in 264 ms', 'backed up x · 1.2 MiB in 3120 ms')
  same('index 302, 2026-11-22T20:17:25.883Z', 'index 9, 2027-01-01T00:00:00.000Z')
  same('of ann (cli-850bf8fa1dcc)', 'of ann (cli-000000000000)')
  same('1 file, in 2 tables', '2 files, in 1 table')
  same('12 B', '1.2 KiB')
  same('users bench-527e1e1b-*', 'users bench-00000000-*')
  same('19961 more (descriptors)', '512 more (memory)')
  expect(lasting(['parley: 1 s · 100/s · p99 11.607 ms · 0 errors'])).toEqual([])
  same('69.7 GiB free (28 %)', '1.1 TiB free (5 %)')
  expect(lasting(['parley: n3 is catching up: 5 entries to go'])).toEqual([])
  expect(lasting(['n3 votes'])).not.toEqual(lasting(['n2 votes']))
  expect(lasting(['n2 drained · clients 0'])).toHaveLength(1)
  expect(lasting(['no: n3 does not answer'])).not.toEqual(lasting(['yes: n3 answers']))
})
