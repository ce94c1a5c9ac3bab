import { longDuration } from '../duration.ts'
import type { Check } from './check.ts'

/** Nodes that are away, or not what the cluster takes them for, and links between them. */
export const NODE_CHECKS: readonly Check[] = [
  {
    id: 'node-down',
    severity: 'warning',
    title: 'a member does not answer',
    runbook: 'parleynodedown',
    find: ({ status }) =>
      status.nodes
        .filter(({ up }) => !up)
        .map(({ name, url, contactMs, reasons, notes }) => ({
          node: name,
          evidence: `${url} ${reasons.join(', ')}${notes.length > 0 ? `; ${notes.join(', ')}` : contactMs === null ? '' : `; the leader heard of it ${longDuration(contactMs)} ago`}`,
          next:
            notes.length > 0
              ? `look at the way from here to ${url}: the cluster reaches it`
              : `start ${name} again with the same data directory; the end of its log says why it ended`,
        })),
  },
  {
    id: 'not-ready',
    severity: 'warning',
    title: 'a node runs and sends clients elsewhere',
    runbook: 'parleynodenotready',
    find: ({ status }) =>
      status.nodes
        .filter(({ up, ready }) => up && !ready)
        .map(({ name, url, reasons }) => ({
          node: name,
          evidence: reasons.join('; ') || 'not ready',
          next: `curl ${url}/readyz?verbose`,
        })),
  },
  {
    id: 'stranger',
    severity: 'critical',
    title: 'a member’s directory is empty: its cluster does not know it',
    runbook: 'parleynodenotready',
    find: ({ status, nodes }) =>
      nodes
        .filter(({ view }) => view.clusterId === '' && status.clusterId !== '')
        .map(({ name, url }) => ({
          node: name,
          evidence: `${url} answers as ${name} and is of no cluster; ${name} is a member of ${status.clusterId}`,
          next: `give it its own directory back; if that is lost: parley members replace ${name}`,
        })),
  },
  {
    id: 'link-down',
    severity: 'warning',
    title: 'a node does not reach a member that others reach',
    runbook: 'parleyquorumatrisk',
    find: ({ status, nodes }) => {
      const isUp = (name: string) => status.nodes.some((node) => node.name === name && node.up)
      return nodes.flatMap(({ name: from, view }) =>
        view.members
          .filter(({ name, state }) => state === 'unreachable' && name !== from && isUp(name))
          .map(({ name: to, peer = 'its peer address' }) => {
            const back = nodes.find((node) => node.name === to)
            const seen = back?.view.members.find(({ name }) => name === from)
            const isOneWay = seen !== undefined && seen.state !== 'unreachable'
            return {
              node: from,
              evidence: `${from} does not reach ${to} at ${peer}, ${isOneWay ? `while ${to} reaches ${from}: one way only` : 'nor the other way'}; ${to} answers from here`,
              next: `on the machine of ${from}: nc -vz ${peer.replace(/:(\d+)$/, ' $1')}; look at firewalls and routes`,
            }
          }),
      )
    },
  },
  {
    id: 'slow-link',
    severity: 'warning',
    title: 'a ping between two nodes takes long',
    runbook: 'parleypeerslow',
    find: ({ nodes }) =>
      nodes.flatMap(({ name: from, now }) =>
        [...(now?.byLabel('parley_peer_round_trip_seconds', 'peer') ?? [])]
          .filter(([, seconds]) => seconds > 0.15)
          .map(([to, seconds]) => ({
            node: from,
            evidence: `${from} to ${to}: ${Math.round(seconds * 1_000)} ms, more than 150`,
            next: `ping the machine of ${to} from that of ${from}; look at the event loop of ${to}`,
          })),
      ),
  },
  {
    id: 'views-differ',
    severity: 'warning',
    title: 'nodes do not agree on leader or members',
    runbook: 'parleytwoleaders',
    find: ({ status }) =>
      status.disagreements.map((evidence) => ({
        node: null,
        evidence,
        next: 'parley status --watch: it should pass within seconds',
      })),
  },
  {
    id: 'peers-refuse',
    severity: 'warning',
    title: 'a node got from a peer what its version does not send',
    runbook: 'parleypeersdisagree',
    find: ({ nodes }) =>
      nodes.flatMap(({ name, now }) => {
        const frames = now?.value('parley_peer_malformed_frames_total') ?? 0
        const writes = now?.value('parley_forwarded_malformed_total') ?? 0
        if (frames + writes === 0) return []
        return [
          {
            node: name,
            evidence: `${frames} connections and ${writes} forwarded writes since its start`,
            next: `look for peer.protocol and forward.refused in the log of ${name}`,
          },
        ]
      }),
  },
]
