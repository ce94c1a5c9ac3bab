import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const HERE = dirname(fileURLToPath(import.meta.url))
const SHIM = fileURLToPath(new URL('page-vitest.ts', import.meta.url))

/** Tests of one file as a script for a page, which sets `runTests`. */
export function bundleTests(path: string): Promise<string> {
  return bundle(
    `import './page-globals.ts'
     import ${JSON.stringify(path)}
     import { runTests } from './page-vitest.ts'
     Object.assign(globalThis, { runTests })`,
  )
}

/** The SDK with its store, as any application bundles it, and what runs in the page. */
export function bundlePage(path: string): Promise<string> {
  return bundle(`import * as page from ${JSON.stringify(path)}; Object.assign(globalThis, page)`)
}

async function bundle(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: HERE, loader: 'ts' },
    bundle: true,
    format: 'iife',
    platform: 'browser',
    write: false,
    // The package's claim of having no side effects is not about its tests.
    ignoreAnnotations: true,
    sourcemap: 'inline',
    plugins: [
      {
        name: 'vitest in a page',
        setup: (bundler) => {
          bundler.onResolve({ filter: /^vitest$/ }, ({ importer }) =>
            importer === SHIM ? null : { path: SHIM },
          )
        },
      },
    ],
  })
  return outputFiles[0]!.text
}
