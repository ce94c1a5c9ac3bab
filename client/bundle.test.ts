import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import * as esbuild from 'esbuild'
import { describe, expect, test } from 'vitest'

/** What a bundler made of an entry, in the way it works without any settings of its own. */
interface Bundle {
  readonly code: string
  /** Modules that the file still asks for when it runs. */
  readonly imports: readonly string[]
  readonly packages: ReadonlySet<string>
}

const pathOf = (entry: string) => fileURLToPath(new URL(entry, import.meta.url))
const packagesOf = (paths: readonly string[]) =>
  new Set(paths.flatMap((path) => /node_modules\/([^/]+)\//.exec(path)?.[1] ?? []))

async function byEsbuild(...entries: string[]): Promise<Bundle> {
  const { outputFiles, metafile } = await esbuild.build({
    stdin: { contents: everythingOf(entries), resolveDir: pathOf('.') },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    metafile: true,
    write: false,
  })
  const [output] = Object.values(metafile.outputs)
  return {
    code: outputFiles[0]!.text,
    imports: output!.imports.map(({ path }) => path),
    packages: packagesOf(Object.keys(output!.inputs)),
  }
}

async function byVite(...entries: string[]): Promise<Bundle> {
  const { build } = await import('vite')
  const root = await mkdtemp(join(tmpdir(), 'parley-bundle-'))
  try {
    const result = await build({
      root,
      configFile: false,
      logLevel: 'error',
      plugins: [
        {
          name: 'entry',
          resolveId: (id) => (id.endsWith('virtual:entry') ? 'virtual:entry' : null),
          load: (id) => (id === 'virtual:entry' ? everythingOf(entries) : null),
        },
      ],
      build: {
        write: false,
        minify: true,
        // Like an application's own, but for keeping what the entry exports.
        rolldownOptions: { input: 'virtual:entry', preserveEntrySignatures: 'strict' },
      },
    })
    const { output } = result as { output: ViteChunk[] }
    expect(output).toHaveLength(1)
    const [chunk] = output
    return {
      code: chunk!.code,
      imports: [...chunk!.imports, ...chunk!.dynamicImports],
      packages: packagesOf(Object.keys(chunk!.modules)),
    }
  } finally {
    await rm(root, { recursive: true })
  }
}

interface ViteChunk {
  readonly code: string
  readonly imports: string[]
  readonly dynamicImports: string[]
  readonly modules: Readonly<Record<string, unknown>>
}

const everythingOf = (entries: readonly string[]): string =>
  entries.map((entry) => `export * from ${JSON.stringify(pathOf(entry))}`).join('\n')

/** Runs it as it is, without any file beside it. */
const run = (code: string) =>
  import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`) as Promise<
    Record<string, unknown>
  >

describe.each([
  ['esbuild', byEsbuild],
  ['vite', byVite],
] as const)('%s, with no polyfill set up', (_, bundled) => {
  test('[BU1] the main entry is one small file of this package alone', async () => {
    const { code, imports, packages } = await bundled('index.ts')
    expect(imports).toEqual([])
    expect([...packages]).toEqual([])
    expect(code.length).toBeLessThan(MAIN_BYTES)
    expect(gzipSync(code).length).toBeLessThan(MAIN_GZIP_BYTES)
    expect(await run(code)).toMatchObject({ ChatClient: expect.any(Function) as unknown })
  })

  test('[BU1] what subscribes to push fits into a service worker of its own', async () => {
    const { code, imports, packages } = await bundled('push/index.ts')
    expect(imports).toEqual([])
    expect([...packages]).toEqual([])
    expect(code.length).toBeLessThan(PUSH_BYTES)
    expect(await run(code)).toMatchObject({ PushDevice: expect.any(Function) as unknown })
  })

  test('[BU1] the store brings IndexedDB, not LevelDB, to a browser', async () => {
    const { code, imports, packages } = await bundled('index.ts', 'store/index.ts')
    expect(imports).toEqual([])
    expect(packages).toContain('browser-level')
    expect(packages).not.toContain('classic-level')
    expect(gzipSync(code).length).toBeLessThan(ALL_GZIP_BYTES)
    expect(await run(code)).toMatchObject({
      ChatClient: expect.any(Function) as unknown,
      LevelStore: expect.any(Function) as unknown,
    })
  })
})

const PUSH_BYTES = 8_000
const MAIN_BYTES = 90_500
const MAIN_GZIP_BYTES = 31_200
const ALL_GZIP_BYTES = 58_500
