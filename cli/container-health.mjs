// Exit code 0 if the node in this container answers. It reads what the node itself was told by the
// environment; it is no part of the command, since it runs every ten seconds and has to be small.
import { request as overTcp } from 'node:http'
import { request as overTls } from 'node:https'

const { PARLEY_LISTEN = '', PARLEY_TLS_CERT_FILE } = process.env
const port = Number(PARLEY_LISTEN.slice(PARLEY_LISTEN.lastIndexOf(':') + 1))
const options = { host: '127.0.0.1', port, path: '/livez', timeout: 4_000 }
// Whether the certificate is good is for those to say who come from outside.
const call =
  PARLEY_TLS_CERT_FILE === undefined
    ? overTcp(options)
    : overTls({ ...options, rejectUnauthorized: false })
call.on('response', ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1))
call.on('timeout', () => process.exit(1))
call.on('error', () => process.exit(1))
call.end()
