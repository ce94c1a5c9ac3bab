// What a web application takes on with this package.
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { rolldown } from 'rolldown'
import { expect, test } from 'vitest'

async function bundled(entry: string) {
  const input = fileURLToPath(new URL(entry, import.meta.url))
  const bundle = await rolldown({ input, platform: 'browser' })
  const { output } = await bundle.generate({ format: 'esm', minify: true })
  await bundle.close()
  expect(output).toHaveLength(1)
  const [{ code, imports, dynamicImports, modules }] = output
  const packages = Object.keys(modules).flatMap(
    (path) => /node_modules\/([^/]+)\//.exec(path)?.[1] ?? [],
  )
  return { code, imports: [...imports, ...dynamicImports], packages: new Set(packages) }
}

/** Runs it as it is, without any file beside it. */
const run = (code: string) =>
  import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`) as Promise<
    Record<string, unknown>
  >

test('[BU1] the main entry is one small file that needs nothing of Node.js, and no store', async () => {
  const { code, imports, packages } = await bundled('index.ts')
  expect(imports).toEqual([])
  expect([...packages].toSorted()).toEqual(['events', 'msgpackr'])
  // About a third of it is msgpackr.
  expect(code.length).toBeLessThan(112_000)
  expect(gzipSync(code).length).toBeLessThan(39_000)
  expect(await run(code)).toMatchObject({ ChatClient: expect.any(Function) as unknown })
})

test('[BU1] the store brings IndexedDB, not LevelDB, to a browser', async () => {
  const { code, imports, packages } = await bundled('store/index.ts')
  expect(imports).toEqual([])
  expect(packages).toContain('browser-level')
  expect(packages).not.toContain('classic-level')
  expect(code.length).toBeLessThan(140_000)
  expect(await run(code)).toMatchObject({ LevelStore: expect.any(Function) as unknown })
})
