// Installs what is missing, with one line of progress and one line of trouble on stderr.
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { takeInstallLock } from './install-lock.mjs'
import { isInstalled, writeStamp } from './install-state.mjs'
import { chooseNode, clonesNode, hostsPath, isRecentEnough, whyNodeFails } from './runtime.mjs'

/** What a person is told in one line; the program ends with exit code 1. */
export class InstallError extends Error {
  name = 'InstallError'
}

const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }
const OFFLINE =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT)\b/

/**
 * Makes sure that the dependencies of the lock file are there, and a Node that runs the program.
 * Quick when they are (about a millisecond). Several processes may call it at once.
 * Rejects with an `InstallError`.
 */
export async function ensureInstalled(root, { dev = false } = {}) {
  const isReady = () => isInstalled(root, { dev }) && chooseNode(root) !== null
  if (isReady()) return
  const release = await takeInstallLock(join(root, '.cache', 'install.lock'), (pid) =>
    process.stderr.write(`parley: waiting for another installation here (process ${pid})\n`),
  ).catch((error) => {
    throw new InstallError(`cannot install dependencies: ${error.message}`)
  })
  try {
    if (isReady()) return
    const progress = showProgress('parley: installing dependencies')
    const startedAt = Date.now()
    try {
      await install(root, dev)
    } finally {
      progress.stop()
    }
    const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1)
    process.stderr.write(`parley: dependencies installed in ${seconds} s\n`)
  } finally {
    release()
  }
}

async function install(root, dev) {
  if (!isInstalled(root, { dev })) {
    // No package needs its install script here (binaries come prebuilt) but the one called `node`.
    await npm(root, ['ci', '--ignore-scripts', '--prefer-offline'])
    writeStamp(root)
  }
  if (isRecentEnough()) return
  if (chooseNode(root) === null) await npm(root, ['rebuild', 'node', '--ignore-scripts=false'])
  if (chooseNode(root) === null) {
    throw new InstallError('cannot install Node 24: npm package "node" brought no program')
  }
  const trouble = whyNodeFails(clonesNode(root))
  if (trouble !== null) throw new InstallError(trouble)
}

/** Runs npm with the host's Node, not with the one that it may be replacing. */
async function npm(root, args) {
  const quiet = ['--loglevel=error', '--no-audit', '--no-fund', '--no-progress']
  const patience = [
    '--fetch-retries=2',
    '--fetch-retry-mintimeout=500',
    '--fetch-retry-maxtimeout=3000',
  ]
  const env = { ...process.env, PATH: hostsPath(root) }
  // Left by the npm that started this program: they point into that npm and its Node.
  delete env.npm_node_execpath
  delete env.npm_execpath
  delete env.NODE_OPTIONS
  const child = spawn('npm', [...args, ...quiet, ...patience], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const keep = (chunk) => (output = (output + chunk).slice(-65_536))
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)

  /** @type {string | null} */
  let interrupted = null
  const handlers = Object.keys(SIGNALS).map((signal) => {
    const handler = () => {
      interrupted ??= signal
      child.kill(signal)
    }
    process.on(signal, handler)
    return () => process.off(signal, handler)
  })
  try {
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    if (interrupted !== null)
      throw new InstallError(`installation interrupted by ${String(interrupted)}`)
    if (code !== 0) throw new InstallError(explain(root, args[0], output))
  } catch (error) {
    if (error.code === 'ENOENT') {
      throw new InstallError('npm is needed to install dependencies, and is not on the PATH')
    }
    throw error
  } finally {
    for (const off of handlers) off()
  }
}

function explain(root, command, output) {
  const offline = OFFLINE.exec(output)
  if (offline) {
    return `cannot install dependencies: the npm registry cannot be reached (${offline[1]}); connect to the network and run the same command again`
  }
  const log = join(root, '.cache', `npm-${command}.log`)
  mkdirSync(join(root, '.cache'), { recursive: true })
  writeFileSync(log, output)
  const first = output
    .split('\n')
    .map((line) => line.replace(/^npm (error|ERR!) ?/, '').trim())
    .find((line) => line !== '' && !line.startsWith('code '))
  return `npm ${command} failed: ${first ?? 'it said nothing'} (all of it: ${relative(process.cwd(), log)})`
}

/** A line that counts seconds on a terminal, one plain line elsewhere. */
function showProgress(text) {
  const stream = process.stderr
  if (!stream.isTTY) {
    stream.write(`${text} …\n`)
    return { stop() {} }
  }
  const startedAt = Date.now()
  const draw = () => stream.write(`\r${text} … ${Math.round((Date.now() - startedAt) / 1_000)} s`)
  draw()
  const timer = setInterval(draw, 1_000)
  return {
    stop() {
      clearInterval(timer)
      stream.write(`\r${' '.repeat(text.length + 12)}\r`)
    },
  }
}
