import { connect, createInbox, type Msg } from '@nats-io/transport-node'
import type { ConnectPublisher } from './publisher.ts'

/**
 * One connection that publishes with a reply subject of its own for each message and reads the
 * stream's acknowledgements from one subscription: no promise and no timer for a message.
 */
export const connectNats: ConnectPublisher = async (options) => {
  const { connection, conversations, answered } = options
  const client = await connect({ servers: options.url, reconnect: false })
  void client.closed().then((error) => {
    throw error ?? new Error('the connection ended')
  })
  const inbox = createInbox()
  const subjects = Array.from({ length: conversations }, (_, at) => `msg.${connection}.${at}`)
  client.subscribe(`${inbox}.*`, {
    callback: (error, message) => {
      if (error !== null) throw error
      answered(Number(message.subject.slice(inbox.length + 1)), failure(message))
    },
  })
  await client.flush()
  return {
    publish(id, body) {
      client.publish(subjects[id % conversations]!, body, { reply: `${inbox}.${id}` })
    },
  }
}

/** An acknowledgement is `{"stream":…,"seq":…}`; a header alone says that nobody listens. */
function failure(message: Msg): string | null {
  if (message.data.length === 0) return `nats ${message.headers?.code ?? 'no answer'}`
  const answer = message.json<{ seq?: number; error?: { err_code: number } }>()
  if (answer.error !== undefined) return `jetstream ${answer.error.err_code}`
  return answer.seq === undefined ? 'jetstream without seq' : null
}
