// The public surface of the package, as a page that a change has to change with it.
import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const CLIENT = fileURLToPath(new URL('.', import.meta.url))

/** The compiler's declarations of every file that the entries lead to, without comments. */
async function declarations(folder: string): Promise<void> {
  const manifest = createRequire(import.meta.url).resolve('typescript/package.json')
  const compiler = join(dirname(manifest), 'bin', 'tsc')
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      ...[compiler, '--ignoreConfig', '--declaration', '--emitDeclarationOnly', '--stripInternal'],
      ...['--removeComments', '--rootDir', CLIENT, '--outDir', folder],
      ...['--target', 'esnext', '--module', 'nodenext', '--strict', '--skipLibCheck'],
      ...['--exactOptionalPropertyTypes', '--allowImportingTsExtensions', '--types', 'node'],
      ...[join(CLIENT, 'index.ts'), join(CLIENT, 'store', 'index.ts')],
      join(CLIENT, 'push', 'index.ts'),
    ],
    { encoding: 'utf8', cwd: CLIENT },
  )
  expect(`${stdout}${stderr}`).toBe('')
  expect(status).toBe(0)
}

/** Every exported name of an entry with its declaration, as it stands in the file that has it. */
async function surface(folder: string, entry: string): Promise<string[]> {
  const text = await readFile(join(folder, entry), 'utf8')
  const shown: string[] = []
  for (const [, names, from] of text.matchAll(/export (?:type )?\{([^}]*)\} from [']([^']+)[']/g)) {
    const file = resolve(dirname(join(folder, entry)), from!.replace(/\.ts$/, '.d.ts'))
    const declared = await readFile(file, 'utf8')
    for (const name of names!.split(',').map((each) => each.replace(/\btype\b/, '').trim())) {
      if (name === '') continue
      const all = statements(declared).filter((each) =>
        new RegExp(
          `^export (declare )?(abstract )?(class|interface|type|function|const) ${name}\\b`,
        ).test(each),
      )
      expect(all.length, `${name} of ${entry}`).toBeGreaterThan(0)
      shown.push(...all)
    }
  }
  const own = statements(text).filter((each) =>
    /^export (declare )?(class|function|const)/.test(each),
  )
  return [...shown, ...own].toSorted()
}

/** Statements at the outermost level: each ends where no bracket is open. */
function statements(text: string): string[] {
  const found: string[] = []
  let current: string[] = []
  let depth = 0
  for (const line of text.split('\n')) {
    if (current.length === 0 && line.trim() === '') continue
    // What is private to a class is nobody's business.
    if (!/^\s+(#private|private )/.test(line)) current.push(line)
    for (const letter of line) {
      if ('{(['.includes(letter)) depth++
      else if ('})]'.includes(letter)) depth--
    }
    if (depth > 0 || !/[;}]$/.test(line)) continue
    found.push(current.join('\n'))
    current = []
  }
  return found
}

test('[API1] what the package exports is what api.snapshot.txt says', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-api-'))
  try {
    await declarations(folder)
    const parts: string[] = []
    for (const [name, entry] of [
      ['@parley/client', 'index.d.ts'],
      ['@parley/client/store', 'store/index.d.ts'],
      ['@parley/client/push', 'push/index.d.ts'],
    ] as const) {
      const lines = await surface(folder, entry)
      expect(lines.length).toBeGreaterThan(2)
      parts.push(`# ${name}`, ...lines)
    }
    // A change that is meant: npx vitest run client/api.test.ts -u, and a line in CHANGELOG.md.
    await expect(`${parts.join('\n\n')}\n`).toMatchFileSnapshot('api.snapshot.txt')
  } finally {
    await rm(folder, { recursive: true })
  }
})
