import { connect } from 'node:net'
import { CliError, ExitCode } from '../exit-codes.ts'
import { readControlFile } from './control-file.ts'
import type { ControlRequest } from './control-server.ts'
import { findDataDirectory } from './data-directory.ts'
import type { ActionResult } from './dev-events.ts'

/** Sends one command to the running dev cluster and waits until it has had its effect. */
export async function askSupervisor(
  request: ControlRequest,
  dataDirectory?: string,
): Promise<ActionResult> {
  const directory = findDataDirectory(dataDirectory)
  const running = readControlFile(directory)
  if (running === null) {
    throw new CliError(
      ExitCode.failed,
      `no dev cluster runs in ${directory}: start one with "npm start" or "parley dev"`,
    )
  }
  const answer = await exchange(running.socket, `${JSON.stringify(request)}\n`).catch(
    (error: unknown) => {
      throw new CliError(
        ExitCode.failed,
        `the dev cluster (process ${running.pid}) does not answer: ${(error as Error).message}`,
      )
    },
  )
  if (answer === '') {
    throw new CliError(
      ExitCode.outcomeUnknown,
      `the dev cluster ended while it was at it; "parley status" shows what is there now`,
    )
  }
  return JSON.parse(answer) as ActionResult
}

function exchange(path: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(path, () => socket.write(line))
    socket.on('data', (chunk) => (answer += chunk.toString('utf8')))
    socket.on('end', () => resolve(answer))
    socket.on('error', reject)
  })
}
