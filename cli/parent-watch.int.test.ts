import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const WATCH = new URL('parent-watch.mjs', import.meta.url).href

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-parent-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** A child that begins to watch when its parent, which holds a channel to it, is alive or dead. */
const WAITS = {
  before: "process.send('up')",
  after: 'while (process.connected) await new Promise((go) => setTimeout(go, 10))',
}
/** When the parent dies. */
const DIES = {
  before: "child.on('message', () => setTimeout(die, 500))",
  after: "child.on('spawn', die)",
}

test.each(['before', 'after'] as const)(
  'a process that begins to watch %s its parent dies hears of it',
  async (when) => {
    const [told, child, parent] = ['told', 'child.mjs', 'parent.mjs'].map((name) =>
      join(folder, `${when}-${name}`),
    ) as [string, string, string]
    await writeFile(
      child,
      `import { writeFileSync } from 'node:fs'
      setTimeout(() => process.exit(), 60_000)
      ${WAITS[when]}
      const { watchParent } = await import('${WATCH}')
      watchParent(() => {
        writeFileSync('${told}', 'gone')
        process.exit()
      })`,
    )
    await writeFile(
      parent,
      `import { spawn } from 'node:child_process'
      const die = () => process.kill(process.pid, 'SIGKILL')
      const stdio = ['ignore', 'ignore', 'ignore', 'ipc']
      const child = spawn(process.execPath, ['${child}'], { stdio })
      ${DIES[when]}`,
    )
    spawn(process.execPath, [parent], { stdio: 'ignore' })
    await expect.poll(() => readFile(told, 'utf8').catch(() => '')).toBe('gone')
  },
)
