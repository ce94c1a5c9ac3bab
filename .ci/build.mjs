// Makes what is published: two packages of plain JavaScript and declarations, as directories and as
// tarballs. `npm run build [directory]`, by default into `dist/`.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { builtinModules } from 'node:module'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const to = resolve(process.argv[2] ?? join(root, 'dist'))

const readJson = (path) => JSON.parse(readFileSync(join(root, path), 'utf8'))
const writeJson = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)
const manifest = readJson('package.json')
const { packages: locked } = readJson('package-lock.json')

/** What tests are written with: whoever uses those exports has it, nobody else needs it. */
const PEERS = ['testcontainers']
/** Of the simulator when it writes a regression test into a clone; looked for only then. */
const CLONE_ONLY = ['prettier', 'vitest']

const server = join(to, 'parley')
emit('.ci/tsconfig.server.json', server)
const bin = join(server, 'cli', 'parley.mjs')
renameSync(join(server, 'cli', 'packaged.mjs'), bin)
chmodSync(bin, 0o755)
// Declarations are for those who import something; the rest are programs.
for (const path of filesOf(server)) {
  if (/\.d\.m?ts$/.test(path) && !path.startsWith('cli/testing/')) rmSync(join(server, path))
}
nameCompiledPrograms(server)
publish(server, 'cli/README.md', {
  ...pick(manifest, ['name', 'version', 'description', 'license', 'type']),
  engines: { node: readJson('client/package.json').engines.node },
  bin: { parley: 'cli/parley.mjs' },
  imports: mapped(manifest.imports, (path) => path.replace(/\.ts$/, '.js')),
  exports: mapped(manifest.exports, entry('.')),
  files: ['bench', 'chaos', 'cli', 'client', 'cluster', 'node'],
})

const client = join(to, 'client')
emit('client/tsconfig.build.json', join(client, 'dist'))
const { exports, ...described } = readJson('client/package.json')
publish(client, 'client/README.md', {
  ...described,
  exports: mapped(exports, entry('./dist')),
  files: ['dist'],
})

function emit(project, directory) {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  const tsc = join(root, 'node_modules', '.bin', 'tsc')
  execFileSync(tsc, ['-p', join(root, project), '--outDir', directory], { stdio: 'inherit' })
}

/** The compiler renames what is imported; what is started by its name stays as it was written. */
function nameCompiledPrograms(directory) {
  for (const path of filesOf(directory).filter((name) => name.endsWith('.js'))) {
    const text = readFileSync(join(directory, path), 'utf8')
    const renamed = text.replace(/(new URL\(['"][^'"]+)\.ts(['"], import\.meta\.url\))/g, '$1.js$2')
    if (renamed !== text) writeFileSync(join(directory, path), renamed)
  }
}

/** Completes a package: its manifest, with the very versions it was tested with, and its pages. */
function publish(directory, readme, said) {
  const used = packagesUsedIn(directory)
  const versions = (names) =>
    Object.fromEntries(names.map((name) => [name, locked[`node_modules/${name}`].version]))
  const peers = PEERS.filter((name) => used.includes(name))
  writeJson(join(directory, 'package.json'), {
    ...said,
    dependencies: versions(
      said.dependencies === undefined
        ? used.filter((name) => name in manifest.dependencies)
        : Object.keys(said.dependencies),
    ),
    ...(peers.length === 0
      ? {}
      : {
          peerDependencies: pick(manifest.devDependencies, peers),
          peerDependenciesMeta: mapped(pick(manifest.devDependencies, peers), () => ({
            optional: true,
          })),
        }),
  })
  const known = Object.keys(said.dependencies ?? manifest.dependencies)
  const unknown = used.filter((name) => ![...known, ...PEERS, ...CLONE_ONLY].includes(name))
  if (unknown.length > 0) throw new Error(`${directory} needs ${unknown}, which it cannot have`)
  copyFileSync(join(root, readme), join(directory, 'README.md'))
  copyFileSync(join(root, 'LICENSE'), join(directory, 'LICENSE'))
  const flags = ['pack', '--silent', '--ignore-scripts', '--pack-destination', to]
  const name = execFileSync('npm', flags, { cwd: directory, encoding: 'utf8' }).trim()
  process.stdout.write(`${join(to, name)}\n`)
}

function packagesUsedIn(directory) {
  const names = filesOf(directory)
    .filter((path) => /\.m?js$/.test(path))
    .flatMap((path) => {
      const text = readFileSync(join(directory, path), 'utf8')
      const imports = text.matchAll(/(?:^|[\s;}])(?:from|import|import\()\s*['"]([^'"]+)['"]/g)
      return [...imports].map(([, specifier]) => specifier)
    })
    .filter((specifier) => /^[a-z@]/.test(specifier) && !specifier.startsWith('node:'))
    .map((specifier) => /^(?:@[^/]+\/)?[^/]+/.exec(specifier)[0])
  return [...new Set(names)].filter((name) => !builtinModules.includes(name)).toSorted()
}

function filesOf(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name).slice(directory.length + 1))
}

function entry(folder) {
  return (path) => {
    const built = path.replace(/^\./, folder).replace(/\.ts$/, '')
    return { types: `${built}.d.ts`, default: `${built}.js` }
  }
}

function mapped(record, change) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}

function pick(record, keys) {
  return Object.fromEntries(keys.map((key) => [key, record[key]]))
}
