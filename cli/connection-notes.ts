import type { ChatClient } from '#client'

/** A failover is over before anybody would want to read about it. */
const PATIENCE_MS = 1_000

/** Says when the connection is gone for longer than a moment, and when there is one again. */
export async function noteConnection(
  chat: Pick<ChatClient, 'status'>,
  note: (line: string) => void,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  let timer: NodeJS.Timeout | null = null
  let isTold = false
  for await (const status of chat.status()) {
    if (status.state === 'disconnected') {
      const { reason } = status
      timer ??= setTimeout(() => {
        isTold = true
        note(`parley: the connection is lost (${reason}); looking for a node …`)
      }, patienceMs)
    } else if (status.state !== 'connecting') {
      if (timer !== null) clearTimeout(timer)
      timer = null
      if (isTold && status.state === 'connected') note(`parley: connected again, to ${status.node}`)
      isTold = false
    }
  }
}
