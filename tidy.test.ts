// The rules of this repository that no compiler or linter knows, as tests.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, normalize, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const ROOT = dirname(fileURLToPath(import.meta.url))

/** Made by tools, not part of the repository. */
const NOT_OURS = new Set(['node_modules', 'dist', '.git', '.parley', '.cache'])

const TOP_LEVEL = [
  ...['cluster', 'node', 'client', 'cli', 'chaos', 'bench', 'dashboards', 'docs', '.ci', '.github'],
  ...['package.json', 'package-lock.json', 'tsconfig.json', 'vitest.config.ts', 'tidy.test.ts'],
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'LICENSE'],
  ...['Dockerfile', 'docker-compose.yml', '.dockerignore'],
  ...['.gitignore', '.npmrc', '.oxlintrc.json', '.prettierrc.json', '.prettierignore'],
]

/** Which doors a folder may use, and which packages; a folder that is absent here may use any. */
const DOORS: Record<string, { doors: string[]; packages: string[] }> = {
  cluster: { doors: [], packages: ['@node-rs/crc32'] },
  client: { doors: [], packages: ['level', 'msgpackr'] },
  node: {
    doors: ['#cluster', '#protocol'],
    packages: [
      'ws',
      'jose',
      'msgpackr',
      'level',
      'abstract-level',
      'prom-client',
      'web-push',
      'pino',
      '@node-rs/crc32',
    ],
  },
}

/** Node's modules that only compute: the others reach the machine and belong behind a port. */
const PURE_BUILTINS = ['node:path', 'node:crypto', 'node:util', 'node:buffer', 'node:assert']

/** Where code reaches the machine for everybody else. */
const HOSTS = ['node/host/', 'client/host/', 'node/server.ts', 'node/logger.ts']

const REACHES: [RegExp, string][] = [
  [/\bDate\.now\b|\bnew Date\(\)/, 'the clock port'],
  [/\bperformance\.(now|timeOrigin)\b|\bhrtime\b/, 'the clock port'],
  [/\b(?<!\.)(setTimeout|setInterval|setImmediate|queueMicrotask)\(/, 'the clock port'],
  [/\bprocess\.nextTick\b/, 'the clock port'],
  [/\bMath\.random\b|\brandom(Bytes|UUID|Int|FillSync)\b|\bgetRandomValues\b/, 'the random port'],
  [/\bprocess\.(env|exit|on|once|argv|cwd)\b/, 'what the host hands in'],
]

const filesIn = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.has(entry.name)) return []
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesIn(path) : [path]
  })

const FILES = filesIn('').filter((path) => !/\.(log|tgz)$/.test(path))
const CODE = FILES.filter((path) => /\.(ts|mjs)$/.test(path))
const MARKDOWN = FILES.filter((path) => path.endsWith('.md'))
const TEXTS = new Map(FILES.map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]))
const textOf = (path: string) => TEXTS.get(path) ?? ''

const folderOf = (path: string) => path.split('/')[0] ?? ''

/** Blanks out comments, keeping lines, so that a rule may be spoken about. */
const withoutComments = (text: string) =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|\s)\/\/.*$/gm, '$1')

const linesWith = (paths: readonly string[], pattern: RegExp, strip = true) =>
  paths.flatMap((path) => {
    const text = strip ? withoutComments(textOf(path)) : textOf(path)
    return text
      .split('\n')
      .flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : []))
  })

const importsOf = (path: string): string[] =>
  [
    ...withoutComments(textOf(path)).matchAll(
      /(?:\bfrom\s+|\bimport\s+|\bimport\(\s*|new URL\(\s*)['"]([^'"\n]+)['"]/g,
    ),
  ].map((match) => match[1] ?? '')

const packageOf = (specifier: string) =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

const manifests = ['package.json', 'client/package.json'].filter((path) => TEXTS.has(path))
const doors: Record<string, string> = (
  JSON.parse(textOf('package.json')) as { imports: Record<string, string> }
).imports

/** Files of the repository that a file names: imports, and programs started by their name. */
const namedBy = (path: string): string[] => [
  ...importsOf(path).map((specifier) =>
    normalize(doors[specifier] ?? join(dirname(path), specifier)),
  ),
  ...[...textOf(path).matchAll(/['"`/]([\w-]+\.(?:ts|mjs))['"`]/g)].map((match) =>
    normalize(join(dirname(path), match[1] ?? '')),
  ),
]

/** The given files and all that they lead to. */
const reachableFrom = (entries: readonly string[]): Set<string> => {
  const reached = new Set<string>()
  const waiting = [...entries]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path) || !CODE.includes(path)) continue
    reached.add(path)
    waiting.push(...namedBy(path))
  }
  return reached
}

/** What `package.json`, a shell or a page starts from. */
const PROGRAMS = [
  ...[...manifests, '.ci/tsconfig.server.json'].flatMap((manifest) =>
    [...textOf(manifest).matchAll(/(?<![\w.])(?:\.\/)?([\w./-]+\.(?:ts|mjs))\b/g)].map((match) =>
      normalize(join(dirname(manifest), match[1] ?? '')),
    ),
  ),
  ...CODE.filter((path) => /\.bench\.ts$|vitest\.config\.ts$|(^|\/)main\.ts$|^\.ci\//.test(path)),
  ...CODE.filter(
    (path) => /^(bench|chaos)\//.test(path) && MARKDOWN.some((page) => textOf(page).includes(path)),
  ),
]
const isTestFile = (path: string) => path.endsWith('.test.ts')
/** What runs in production, and what the commands for people run. */
const product = reachableFrom(
  PROGRAMS.filter((path) => !/^(bench|chaos|\.ci)\/|\.test\.ts$/.test(path)),
)
/** Tests, the suites that they share, and what only they use. */
const isTest = (path: string) =>
  isTestFile(path) ||
  path.endsWith('.contract.ts') ||
  (!product.has(path) && !/^(bench|chaos|\.ci)\//.test(path))
const isProduct = (path: string) => CODE.includes(path) && !isTest(path)

describe('doors', () => {
  test('folders reach each other only through the doors they may use', () => {
    const wrong = Object.entries(DOORS).flatMap(([folder, { doors, packages }]) =>
      CODE.filter((path) => folderOf(path) === folder).flatMap((path) =>
        importsOf(path)
          .filter((specifier) => {
            if (specifier.startsWith('.')) {
              // The version, for one, is told in the manifest alone.
              if (folder === 'node' && /^(\.\.\/)+package\.json$/.test(specifier)) return false
              return folderOf(relative(ROOT, resolve(ROOT, dirname(path), specifier))) !== folder
            }
            if (specifier.startsWith('#')) {
              const forIntegration = folder === 'node' && path.endsWith('.int.test.ts')
              return !doors.includes(specifier) && !(forIntegration && specifier === '#client')
            }
            if (specifier.startsWith('node:')) {
              if (isTest(path) || HOSTS.some((host) => path.startsWith(host))) return false
              return folder === 'client' || !PURE_BUILTINS.includes(specifier)
            }
            if (isTest(path))
              return !['vitest', 'fast-check', 'esbuild', 'vite', ...packages].includes(specifier)
            return !packages.includes(packageOf(specifier))
          })
          .map((specifier) => `${path} imports ${specifier}`),
      ),
    )
    expect(wrong).toEqual([])
  })

  test('cli, chaos and bench are imported by themselves, and where pages are held to real nodes', () => {
    const wrong = CODE.filter(
      (path) => !['cli', 'chaos', 'bench', 'docs', 'dashboards'].includes(folderOf(path)),
    ).flatMap((path) =>
      importsOf(path)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => normalize(join(dirname(path), specifier)))
        .filter((target) => /^(cli|chaos|bench)\//.test(target) && path !== 'tidy.test.ts')
        .map((target) => `${path} imports ${target}`),
    )
    expect(wrong).toEqual([])
  })

  test('a relative import names its file with its ending, and the file is there', () => {
    const wrong = CODE.flatMap((path) =>
      importsOf(path)
        .filter((specifier) => /^\.\.?\/[^*]/.test(specifier) && !specifier.endsWith('/'))
        .filter((specifier) => !existsSync(join(ROOT, dirname(path), specifier)))
        .map((specifier) => `${path} imports ${specifier}`),
    )
    expect(wrong).toEqual([])
  })
})

test('time, chance, files and sockets are reached only through ports', () => {
  const portable = CODE.filter(
    (path) =>
      isProduct(path) &&
      ['cluster', 'node', 'client'].includes(folderOf(path)) &&
      !HOSTS.some((host) => path.startsWith(host)),
  )
  const wrong = REACHES.flatMap(([pattern, instead]) =>
    linesWith(portable, pattern).map((line) => `${line}  (use ${instead})`),
  )
  expect(wrong).toEqual([])
})

test('only programs write to the console', () => {
  const silent = CODE.filter((path) => isProduct(path) && !/^(cli|bench|chaos|\.ci)\//.test(path))
  expect(linesWith(silent, /\bconsole\.\w+\(/)).toEqual([])
})

test('no file is longer than 500 lines', () => {
  const long = CODE.map((path) => [path, textOf(path).split('\n').length - 1] as const)
  expect(long.filter(([, lines]) => lines > 500)).toEqual([])
})

test('nothing is left to do', () => {
  const leftover = new RegExp(
    `\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b`,
  )
  expect(linesWith([...CODE, ...MARKDOWN], leftover, false)).toEqual([])
})

test('texts speak of the product, not of how, where or by whom it was written', () => {
  const ours = FILES.filter((path) => path !== 'tidy.test.ts' && path !== 'package-lock.json')
  const machine = /(^|[\s'"`(=])\/(work|root|home)\/\w/
  const registry = /registry\.npm|npmjs\.(org|com)|artifactory/i
  const making =
    /\bsub-?agents?\b|\bAI-generated\b|\bas requested\b|\b(the|your) brief\b|\bfrom the prompt\b/i
  for (const pattern of [machine, registry, making]) {
    expect(linesWith(ours, pattern, false)).toEqual([])
  }
})

test('nothing new at the top level', () => {
  const names = new Set(FILES.map(folderOf))
  expect([...names].filter((name) => !TOP_LEVEL.includes(name))).toEqual([])
})

describe('specifications', () => {
  const specs = MARKDOWN.filter((path) => path.endsWith('SPEC.md'))
  const idsOf = (text: string, pattern: RegExp) =>
    [...text.matchAll(pattern)].flatMap((match) => (match[1] ?? '').match(/[A-Z]{1,4}\d+/g) ?? [])
  // '- **K2** …' of a list, '| K2 | …' of a table, '## K2: …' of a page about one.
  const RULES = /^\s*(?:[-*]?\s*\*\*|\|\s*|#+\s*)((?:[A-Z]{1,4}\d+[, ]*)+)\b/gm
  const rules = new Set(specs.flatMap((path) => idsOf(textOf(path), RULES)))
  // A title starts with its ids: '[K2] a torn tail is cut off', '[A2][A3] …'.
  const tested = new Set(
    CODE.filter(isTest).flatMap((path) =>
      idsOf(
        withoutComments(textOf(path)),
        /[`'"](?:\[M-\d+\]\s*)*((?:\[[A-Z]{1,4}\d+(?:[, ]+[A-Z]{1,4}\d+)*\]\s*)+)/g,
      ),
    ),
  )

  test('there are some', () => {
    expect(rules.size).toBeGreaterThan(0)
  })

  // A1 to K10 are the protocol's own: each part says there what it keeps of them.
  test('an id of a part stands for one rule', () => {
    const ids = specs.flatMap((path) => idsOf(textOf(path), RULES))
    const own = ids.filter((id) => !/^[ABK]\d/.test(id))
    expect(own.filter((id, at) => own.indexOf(id) !== at)).toEqual([])
  })

  test('comments name rules that there are', () => {
    // Those of the protocol that no page repeats are kept by several parts together.
    const known = (id: string) => rules.has(id) || /^(?:A[1-9]|A10|B[1-9]|K[1-9]|K10)$/.test(id)
    const wrong = CODE.filter((path) => path !== 'tidy.test.ts').flatMap((path) =>
      idsOf(textOf(path).replace(/\n\s*\*? ?/g, ' '), /\brules? ((?:[A-Z]{1,4}\d+(?:, | and )?)+)/g)
        .filter((id) => !known(id))
        .map((id) => `${path}: rule ${id}`),
    )
    expect(wrong).toEqual([])
  })

  test('the ids at the start of a title stand in brackets', () => {
    const bare =
      /(?:\b(?:test|it|describe)\b[\w.]*\(|\]\)\()\s*[`'"](?:\[M-\d+\]\s*)*[A-Z]{1,4}\d+[ ,:]/
    expect(linesWith(CODE.filter(isTest), bare)).toEqual([])
  })

  test('every rule has a test', () => {
    expect([...rules].filter((id) => !tested.has(id))).toEqual([])
  })

  test('every id in a test title has a rule', () => {
    expect([...tested].filter((id) => !rules.has(id))).toEqual([])
  })
})

describe('mechanisms of the papers', () => {
  const PAGE = 'docs/guarantees.md'
  const rows = [...textOf(PAGE).matchAll(/^- \*\*M-(\d+)\*\* .*Tested by: (.*)\.$/gm)].map(
    ([, row, tests]) => ({ row: Number(row), tests: tests ?? '' }),
  )
  /** `M-7 path` of every title that begins with `[M-7]`. */
  const titled = CODE.filter(isTest).flatMap((path) =>
    [...withoutComments(textOf(path)).matchAll(/[`'"]((?:\[M-\d+\]\s*)+)/g)].flatMap((match) =>
      [...(match[1] ?? '').matchAll(/M-\d+/g)].map(([row]) => `${row} ${path}`),
    ),
  )

  test('each has its line, once, in order', () => {
    expect(rows.map(({ row }) => row)).toEqual(Array.from({ length: 65 }, (_, at) => at + 1))
    const unclear = rows.filter(({ tests }) => tests !== 'due' && !tests.startsWith('['))
    expect(unclear).toEqual([])
  })

  test('each line names the test files whose titles begin with its number, and no other', () => {
    const listed = rows.flatMap(({ row, tests }) =>
      [...tests.matchAll(/\]\(([^)]+)\)/g)].map(
        ([, link]) => `M-${row} ${normalize(join(dirname(PAGE), link ?? ''))}`,
      ),
    )
    const wanted = [...new Set(titled)]
    expect(
      wanted.filter((one) => !listed.includes(one)),
      `add them to ${PAGE}`,
    ).toEqual([])
    expect(
      listed.filter((one) => !wanted.includes(one)),
      'no title there begins so',
    ).toEqual([])
  })
})

test('every code file is used', () => {
  const used = reachableFrom([...PROGRAMS, ...CODE.filter(isTestFile)])
  expect(CODE.filter((path) => !used.has(path))).toEqual([])
})

describe('dependencies', () => {
  interface Manifest {
    dependencies?: Record<string, string>
    devDependencies?: Record<string, string>
    allowScripts?: Record<string, boolean>
  }
  interface Locked {
    version?: string
    resolved?: string
    integrity?: string
    hasInstallScript?: boolean
    optionalDependencies?: Record<string, string>
  }
  const manifest = JSON.parse(textOf('package.json')) as Manifest
  const lock = JSON.parse(textOf('package-lock.json')) as { packages: Record<string, Locked> }
  const locked = Object.entries(lock.packages).filter(([path]) => path !== '')
  const nameOf = (path: string) =>
    path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)

  test('the lock file names no host, and has a checksum for everything', () => {
    expect(
      locked.filter(([, entry]) => entry.resolved !== undefined).map(([path]) => path),
    ).toEqual([])
    expect(
      locked.filter(([, entry]) => entry.integrity === undefined).map(([path]) => path),
    ).toEqual([])
    expect(textOf('package-lock.json')).not.toMatch(/https?:\/\/[^"]*\.(tgz|tar)/)
  })

  test('the lock file is whole: npm ci works on every platform', () => {
    const names = new Set(locked.map(([path]) => nameOf(path)))
    const missing = locked.flatMap(([path, entry]) =>
      Object.keys(entry.optionalDependencies ?? {})
        .filter((name) => !names.has(name))
        .map((name) => `${path} wants ${name}`),
    )
    expect(missing).toEqual([])
  })

  test('each install script is allowed or denied on purpose', () => {
    const withScript = locked
      .filter(([, entry]) => entry.hasInstallScript)
      .map(([path]) => nameOf(path))
    expect(Object.keys(manifest.allowScripts ?? {}).toSorted()).toEqual(
      [...new Set(withScript)].toSorted(),
    )
  })

  test('each dependency is used', () => {
    const used = new Set([...product].flatMap(importsOf).map(packageOf))
    const unused = Object.keys(manifest.dependencies ?? {}).filter(
      // `node` is the program that runs everything, started by the launcher.
      (name) => !used.has(name) && name !== 'node',
    )
    expect(unused).toEqual([])
  })
})

test('links between pages lead somewhere', () => {
  const slug = (heading: string) =>
    heading
      .toLowerCase()
      .replace(/[`*]/g, '')
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-')
  const anchors = (path: string) =>
    [...textOf(path).matchAll(/^#{1,6}\s+(.+)$/gm)].map((match) => slug(match[1] ?? ''))
  const broken = MARKDOWN.flatMap((path) => {
    const prose = textOf(path).replace(/^```[\s\S]*?^```/gm, '')
    return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
      .map((match) => match[1] ?? '')
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => {
        const [target = '', anchor] = link.split('#')
        const file = target === '' ? path : normalize(join(dirname(path), target))
        if (!existsSync(join(ROOT, file))) return true
        return anchor !== undefined && file.endsWith('.md') && !anchors(file).includes(anchor)
      })
      .map((link) => `${path}: ${link}`)
  })
  expect(broken).toEqual([])
})
