// Whether what is installed is what package-lock.json asks for.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const stampPath = (root) => join(root, 'node_modules', '.parley-installed')

/** Changes with the lock file and the machine, so that a copied node_modules is noticed. */
function fingerprint(root) {
  const lock = readFileSync(join(root, 'package-lock.json'))
  const hash = createHash('sha256').update(lock).digest('hex')
  return `${process.platform}-${process.arch} ${hash}\n`
}

/** Records that everything in the lock file is installed. */
export function writeStamp(root) {
  writeFileSync(stampPath(root), fingerprint(root))
}

/**
 * Whether every package that the program needs, with `dev` also the tools, is there in the locked
 * version. The stamp answers at once; without one (npm was run by hand) npm's own record of what
 * it installed is compared.
 */
export function isInstalled(root, { dev }) {
  if (!existsSync(join(root, 'node_modules'))) return false
  try {
    if (readFileSync(stampPath(root), 'utf8') === fingerprint(root)) return true
  } catch {
    // No stamp yet.
  }
  if (!agreesWithLock(root, { dev })) return false
  if (agreesWithLock(root, { dev: true })) tryStamp(root)
  return true
}

function agreesWithLock(root, { dev }) {
  let locked
  let installed
  try {
    locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
    installed = JSON.parse(
      readFileSync(join(root, 'node_modules', '.package-lock.json'), 'utf8'),
    ).packages
  } catch {
    return false
  }
  return Object.entries(locked).every(([path, entry]) => {
    if (path === '') return true
    const found = installed[path]
    if (found === undefined) return entry.optional === true || (!dev && entry.dev === true)
    return found.version === entry.version && existsSync(join(root, path))
  })
}

function tryStamp(root) {
  try {
    writeStamp(root)
  } catch {
    // A read-only installation is compared anew each time.
  }
}
