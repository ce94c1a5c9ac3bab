// Stands in for a node where a test is about processes: answers GET /v1/cluster, drains on SIGTERM
// and when its supervisor goes. The first member leads, and never anybody else.
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    name: { type: 'string' },
    port: { type: 'string' },
    data: { type: 'string' },
    members: { type: 'string' },
    stubborn: { type: 'boolean', default: false },
    broken: { type: 'boolean', default: false },
  },
})
mkdirSync(values.data, { recursive: true })
if (values.broken) {
  console.error('the disk is on fire')
  process.exit(1)
}
const members = values.members.split(',').map((member) => {
  const [name, port] = member.split(':')
  return { name, role: 'voter', url: `http://127.0.0.1:${port}`, state: 'follower' }
})
const view = {
  clusterId: 'c',
  epoch: 'e',
  node: values.name,
  leader: members[0].name,
  term: 1,
  commit: 5,
  applied: 5,
  ready: true,
  reasons: [],
  members,
}
const server = createServer((_request, response) => response.end(JSON.stringify(view)))
server.listen(Number(values.port), '127.0.0.1', () => console.log(`listening as ${values.name}`))

const drain = () => {
  if (values.stubborn) return
  writeFileSync(`${values.data}/drained`, String(process.pid))
  process.exit(0)
}
process.on('SIGTERM', drain)
process.on('disconnect', drain)
