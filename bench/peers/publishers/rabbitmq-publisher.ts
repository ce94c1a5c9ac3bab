import { connect } from 'amqplib'
import type { ConnectPublisher } from './publisher.ts'

/** The queue that everything goes to. */
export const QUEUE = 'messages'

/** One connection with one channel in confirm mode, straight to the queue. */
export const connectRabbitmq: ConnectPublisher = async ({ url, answered }) => {
  const connection = await connect(url, { noDelay: true })
  const channel = await connection.createConfirmChannel()
  return {
    publish(id, body) {
      channel.publish('', QUEUE, body, { persistent: true }, (error) =>
        answered(id, error === null ? null : 'nack'),
      )
    },
  }
}
