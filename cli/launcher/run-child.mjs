// A child that takes this process's place: its terminal, its signals, its exit code.
import { spawn } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { watchParent } from '../parent-watch.mjs'

const FORWARDED = ['SIGTERM', 'SIGHUP']

/**
 * Runs `command` with the clone's commands first on the PATH and ends this process as the child
 * ended, by exit code or by signal. With `tether` (for a program on Node) the child has an IPC
 * channel: it closes when this process dies, however it dies.
 */
export function runChild(root, command, args, { tether = false } = {}) {
  const bin = join(root, 'node_modules', '.bin')
  const child = spawn(command, args, {
    stdio: tether ? ['inherit', 'inherit', 'inherit', 'ipc'] : 'inherit',
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` },
  })
  const handlers = new Map(FORWARDED.map((signal) => [signal, () => child.kill(signal)]))
  // The terminal sends its Ctrl-C to every process of the foreground: passing it on would double it.
  handlers.set('SIGINT', process.stdin.isTTY ? () => {} : () => child.kill('SIGINT'))
  for (const [signal, handler] of handlers) process.on(signal, handler)
  watchParent(() => child.kill('SIGTERM'))
  child.once('error', (error) => {
    process.stderr.write(`parley: cannot run ${command}: ${error.message}\n`)
    process.exit(1)
  })
  child.once('exit', (code, signal) => {
    for (const [name, handler] of handlers) process.off(name, handler)
    if (signal !== null) process.kill(process.pid, signal)
    else process.exit(code ?? 1)
  })
}
