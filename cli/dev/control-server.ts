import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { type Server, type Socket, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ActionResult, type CutShape, DEV_ACTIONS, type DevAction } from './dev-events.ts'

/** A request is one line of JSON, the answer another one, then the server ends the connection. */
export interface ControlRequest extends CutShape {
  readonly action: DevAction
  readonly target?: string | undefined
}

/** Longer paths do not fit into a socket address (104 bytes on macOS, 108 on Linux). */
const PATH_LIMIT = 100
const REQUEST_LIMIT_BYTES = 4_096

/** Where the supervisor of this data directory takes commands. */
export function controlSocketPath(directory: string): string {
  const inside = join(directory, 'dev.sock')
  if (Buffer.byteLength(inside) <= PATH_LIMIT) return inside
  const hash = createHash('sha256').update(directory).digest('hex').slice(0, 16)
  return join(tmpdir(), `parley-dev-${hash}.sock`)
}

/**
 * Takes commands for a dev cluster. Only this user can connect: the socket is made with mode 0600.
 * Rejects with code `EADDRINUSE` if another supervisor listens there; one that was killed leaves a
 * dead socket behind, which is replaced.
 */
export async function serveControl(
  path: string,
  act: (request: ControlRequest) => Promise<ActionResult>,
): Promise<{ close(): void }> {
  if (!(await answers(path))) rmSync(path, { force: true })
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    socket.on('error', () => socket.destroy())
    serve(socket, act)
  })
  await listen(server, path)
  return {
    close() {
      server.close()
      for (const socket of open) socket.end()
    },
  }
}

function serve(socket: Socket, act: (request: ControlRequest) => Promise<ActionResult>): void {
  let line = ''
  const onData = (chunk: Buffer) => {
    line += chunk.toString('utf8')
    const end = line.indexOf('\n')
    if (end < 0) {
      if (line.length > REQUEST_LIMIT_BYTES) socket.destroy()
      return
    }
    socket.off('data', onData)
    const request = parse(line.slice(0, end))
    if (request === null) {
      socket.destroy()
      return
    }
    act(request).then(
      (result) => socket.end(`${JSON.stringify(result)}\n`),
      (error: unknown) => socket.destroy(error as Error),
    )
  }
  socket.on('data', onData)
}

function parse(line: string): ControlRequest | null {
  try {
    const request = JSON.parse(line) as ControlRequest
    const { action, target, others, oneWay = false } = request
    const words = [target, others].every((word) => word === undefined || typeof word === 'string')
    return DEV_ACTIONS.includes(action) && words && typeof oneWay === 'boolean' ? request : null
  } catch {
    return null
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    const mask = process.umask(0o177)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
    process.umask(mask)
  })
}
