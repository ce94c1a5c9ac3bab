// Makes the package that is published: JavaScript and declarations of `client/`, into a directory.
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const to = resolve(process.argv[2] ?? join(root, 'client', 'dist'))
mkdirSync(to, { recursive: true })

const tsc = join(root, 'node_modules', '.bin', 'tsc')
const project = join(root, 'client', 'tsconfig.build.json')
execFileSync(tsc, ['-p', project, '--outDir', join(to, 'dist')], { stdio: 'inherit' })

const manifest = JSON.parse(readFileSync(join(root, 'client', 'package.json'), 'utf8'))
const entry = (path) => {
  const built = path.replace(/^\.\//, './dist/').replace(/\.ts$/, '')
  return { types: `${built}.d.ts`, default: `${built}.js` }
}
const exports = Object.fromEntries(
  Object.entries(manifest.exports).map(([name, path]) => [name, entry(path)]),
)
const published = { ...manifest, files: ['dist'], exports }
writeFileSync(join(to, 'package.json'), `${JSON.stringify(published, null, 2)}\n`)
copyFileSync(join(root, 'client', 'README.md'), join(to, 'README.md'))
copyFileSync(join(root, 'LICENSE'), join(to, 'LICENSE'))
