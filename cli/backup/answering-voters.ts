import { connect } from 'node:net'

interface Voter {
  readonly name: string
  readonly clientUrl: string
  readonly peerAddress: string
}

/** Which of them answer, to clients or to peers: whoever does is not lost. */
export async function answeringVoters(
  voters: readonly Voter[],
  timeoutMs: number,
): Promise<string[]> {
  const answers = await Promise.all(
    voters.map(async ({ name, clientUrl, peerAddress }) => {
      const url = new URL(clientUrl)
      const port = Number(url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port)
      const peer = new URL(`tcp://${peerAddress}`)
      const isUp = await Promise.all([
        connects(url.hostname, port, timeoutMs),
        connects(peer.hostname, Number(peer.port), timeoutMs),
      ])
      return isUp.includes(true) ? [name] : []
    }),
  )
  return answers.flat()
}

function connects(host: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: host.replace(/^\[|\]$/g, ''), port, timeout: timeoutMs })
    const end = (isUp: boolean): void => {
      socket.destroy()
      resolve(isUp)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })
}
