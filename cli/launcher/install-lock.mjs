// One installation at a time, over processes: a file that names its holder and is touched while
// the holder lives.
import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'

const TOUCH_MS = 1_000
/** A holder silent for this long is dead or was paused: npm itself survives a second one. */
const STALE_MS = 30_000
const POLL_MS = 200

/**
 * Waits until the lock is free and takes it. `onWait(pid)` is called once if it has to wait.
 * Returns the function that gives it back.
 *
 * @param {string} path
 * @param {(pid: number) => void} [onWait]
 */
export async function takeInstallLock(path, onWait = () => {}) {
  mkdirSync(dirname(path), { recursive: true })
  let told = false
  while (!tryTake(path)) {
    const holder = readHolder(path)
    if (holder !== null && isStale(path, holder)) {
      breakLock(path, holder)
      continue
    }
    if (!told && holder !== null) onWait(holder)
    told = true
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  const beat = setInterval(() => {
    const now = new Date()
    try {
      utimesSync(path, now, now)
    } catch {
      // Someone removed the directory: nothing is left to keep.
    }
  }, TOUCH_MS)
  beat.unref()
  return () => {
    clearInterval(beat)
    if (readHolder(path) === process.pid) rmSync(path, { force: true })
  }
}

function tryTake(path) {
  try {
    writeFileSync(path, `${process.pid}\n`, { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

/** The pid of the holder, `null` if nobody has the lock or its name is not written yet. */
function readHolder(path) {
  try {
    const pid = Number(readFileSync(path, 'utf8'))
    return Number.isInteger(pid) && pid > 0 ? pid : null
  } catch {
    return null
  }
}

function isStale(path, holder) {
  try {
    process.kill(holder, 0)
  } catch (error) {
    if (error.code === 'ESRCH') return true
  }
  try {
    return Date.now() - statSync(path).mtimeMs > STALE_MS
  } catch {
    return false
  }
}

/** Renaming first makes sure that of two who saw the same stale lock only one removes it. */
function breakLock(path, holder) {
  const aside = `${path}.${process.pid}`
  try {
    renameSync(path, aside)
  } catch {
    return
  }
  const taken = readHolder(aside)
  if (taken !== holder && taken !== null) {
    // Another one was quicker, and this is its fresh lock: give it back.
    try {
      writeFileSync(path, `${taken}\n`, { flag: 'wx' })
    } catch {
      // A third one took it in between: npm ci runs twice, one after the other at worst.
    }
  }
  rmSync(aside, { force: true })
}
