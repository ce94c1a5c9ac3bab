import { once } from 'node:events'
import { connect } from 'node:http2'
import type { ConnectPublisher } from './publisher.ts'

const CALL = {
  ':method': 'POST',
  ':path': '/etcdserverpb.KV/Put',
  'content-type': 'application/grpc',
  te: 'trailers',
}

/**
 * One HTTP/2 connection that speaks gRPC; each message is the value of a key of its own. Straight on
 * `node:http2` a call costs this process a third of what `@grpc/grpc-js` spends on it, and on a
 * shared machine that is etcd's to use.
 */
export const connectEtcd: ConnectPublisher = async (options) => {
  const { connection, conversations, answered } = options
  const session = connect(options.url)
  await once(session, 'connect')
  session.once('close', () => {
    throw new Error('the connection ended')
  })
  const run = `${process.pid.toString(36)}${Date.now().toString(36)}`
  return {
    publish(id, body) {
      const key = Buffer.from(`msg/${connection}.${id % conversations}/${run}/${id}`)
      const call = session.request(CALL)
      let status: unknown = 'missing'
      call.on('trailers', (trailers) => (status = trailers['grpc-status']))
      call.on('close', () => answered(id, status === '0' ? null : `grpc status ${String(status)}`))
      // What the answer says is the revision: that there is one is the acknowledgement.
      call.resume()
      call.end(encodePut(key, body))
    },
  }
}

/** gRPC's five bytes, then `PutRequest` of etcd's rpc.proto: `bytes key = 1; bytes value = 2`. */
function encodePut(key: Buffer, value: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(5 + 6 + key.length + 6 + value.length)
  let at = writeBytes(bytes, 5, 1, key)
  at = writeBytes(bytes, at, 2, value)
  bytes[0] = 0
  bytes.writeUInt32BE(at - 5, 1)
  return bytes.subarray(0, at)
}

/** A length-delimited field of protobuf. */
function writeBytes(target: Buffer, at: number, field: number, value: Buffer): number {
  target[at++] = (field << 3) | 2
  let length = value.length
  for (; length > 0x7f; length >>>= 7) target[at++] = (length & 0x7f) | 0x80
  target[at++] = length
  value.copy(target, at)
  return at + value.length
}
