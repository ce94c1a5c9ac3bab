import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { main } from '../cli/main.ts'

const PAGE = readFileSync(new URL('operations.md', import.meta.url), 'utf8')

/** What operators of any such cluster must be able to do: a word or two of each row, in any order. */
const TASKS = [
  ...[
    'start a cluster',
    'who leads',
    'what is wrong',
    'be told',
    'who is how far behind',
    'what the cluster takes',
    'how long disks',
    'have somebody else look',
  ],
  ...['may be stopped', 'take a node in', 'replace a node', 'take a node out for good'],
  ...[
    'another node lead',
    'restart all',
    'upgrade',
    'out of service',
    'a copy for',
    'back to a copy',
  ],
  ...['majority of the disks', 'on disk', 'follow one message', 'copy of a conversation'],
  ...['retention would remove', 'remove what a user said', 'all nodes decide', 'change a limit'],
  ...['certificates', 'key of tokens', 'what operators did'],
]

const [, table = ''] = /^## What one needs\n\n((?:\|.*\n)+)/m.exec(PAGE) ?? []
const rows = table
  .trimEnd()
  .split('\n')
  .slice(2)
  .map((line) => {
    const [to = '', does = '', more = ''] = line.slice(1, -1).split(/(?<!\\)\|/)
    return { to: to.trim(), does: does.trim(), more: more.trim() }
  })

afterEach(() => vi.restoreAllMocks())

async function helpOf(words: readonly string[]): Promise<string> {
  const said: string[] = []
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => said.push(String(text)) > 0)
  const code = await main([...words, '--help'])
  vi.restoreAllMocks()
  return code === 0 ? said.join('') : `exit code ${code}`
}

describe('the table of what one needs', () => {
  test('has every task', () => {
    expect(TASKS.filter((task) => !rows.some(({ to }) => to.includes(task)))).toEqual([])
  })

  // That they lead somewhere tidy.test.ts sees.
  test.each(rows)('$to: names what to do, and where more is said', ({ does, more }) => {
    expect(does).toMatch(/`|\bfile\b|\brules\b/)
    expect(more).toMatch(/^\[[^\]]+\]\([^)]+\)$/)
  })

  const commands = [...table.matchAll(/`parley ([^`]+)`/g)].map(([, words = '']) =>
    words.split(' ').filter((word) => /^[a-z]+$/.test(word)),
  )
  test.each(commands.map((words) => [words.join(' '), words] as const))(
    'parley %s is a command',
    async (name, words) => {
      const help = await helpOf(words)
      if (help.startsWith(`Usage: parley ${name} `)) return
      // What one command is told to do, as `upgrade finalize`, it names itself.
      const [command, action] = words
      expect(help).toMatch(new RegExp(`^Usage: parley ${command} .*\\[action\\]`))
      expect(help).toMatch(new RegExp(`^ +action +.*\\b${action}\\b`, 'm'))
    },
  )
})
