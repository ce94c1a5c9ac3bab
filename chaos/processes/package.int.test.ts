// The published package, in a project that is not this repository.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ProcessCluster } from './process-cluster.ts'

const run = promisify(execFile)
const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

let cluster: ProcessCluster
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-package-'))
  const modules = join(folder, 'node_modules')
  await mkdir(join(modules, '@parley'), { recursive: true })
  await run(process.execPath, [at('.ci/pack-client.mjs'), join(modules, '@parley', 'client')])
  // What `npm install` would bring besides.
  await symlink(at('node_modules/level'), join(modules, 'level'))
  await writeFile(join(folder, 'package.json'), '{"type": "module"}')
  cluster = await ProcessCluster.started(1)
})
afterAll(async () => {
  await cluster.close()
  await rm(folder, { recursive: true, force: true })
})

const program = (url: string) => `
  import { ChatClient, ChatError, type ChatMessage } from '@parley/client'
  import { LevelStore } from '@parley/client/store'
  import { encodeBody } from '@parley/client/protocol'

  const chat = await ChatClient.connect({
    urls: ['${url}'], user: 'ann', device: 'packed', store: new LevelStore('./packed'),
  })
  const { seq } = await chat.direct('bob').send({ bytes: encodeBody(1) }).sent
  const page = await chat.direct('bob').history()
  const [message] = page.events as readonly ChatMessage[]
  console.log(seq, message?.from, ChatError.is(new Error('no')))
  await chat.drain()
`

test('its declarations are whole and strict; it runs in Node.js and is bundled for a browser', async () => {
  const source = join(folder, 'program.ts')
  await writeFile(source, program(cluster.nodes[0]!.url))
  const options = {
    ...{ module: 'nodenext', target: 'es2024', lib: ['es2024', 'esnext', 'dom'], types: [] },
    ...{ strict: true, skipLibCheck: false },
  }
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: options, files: ['program.ts'] }),
  )
  await run(at('node_modules/.bin/tsc'), ['-p', folder])
  const { stdout } = await run(process.execPath, [join(folder, 'program.js')], { cwd: folder })
  expect(stdout).toBe('1 ann false\n')
  const { outputFiles, warnings } = await build({
    ...{ entryPoints: [source], bundle: true, minify: true, platform: 'browser', format: 'esm' },
    write: false,
  })
  expect(warnings).toEqual([])
  expect(outputFiles[0]!.text).not.toContain('classic-level')
})
