import type { File, FileSystem } from '#cluster'
import { Packr } from 'msgpackr'
import type { Message } from '../../cluster/raft/messages.ts'
import type { SimNode } from '../simulation/sim-node.ts'
import type { SimProcess } from '../simulation/sim-process.ts'
import type { SimWorld } from '../simulation/sim-world.ts'
import { messagesIn } from '../simulation/wire-tap.ts'

const packr = new Packr({ useRecords: false, int64AsType: 'number' })
const LONGEST_FRAME = 240

/**
 * Writes down what happens in a world, a line each, in virtual ms: messages as they are sent, disk
 * operations as they begin and syncs as they return, lives and deaths, roles, frames of clients, faults
 * and what nodes log. It only looks: a traced run is the same run.
 */
export function traceWorld(world: SimWorld, write: (line: string) => void): void {
  const say = (line: string) => write(`${world.scheduler.nowMs.toFixed(3).padStart(10)} ${line}`)
  traceNotes(world, say)
  traceMessages(world, say)
  traceRoles(world, say)
  traceClients(world, say)
  for (const node of world.nodes) {
    traceLives(node, say)
    traceDisk(node, say)
  }
}

type Say = (line: string) => void

function traceNotes(world: SimWorld, say: Say): void {
  const note = world.note.bind(world)
  world.note = (line) => {
    say(line)
    note(line)
  }
}

function traceMessages(world: SimWorld, say: Say): void {
  const { tap } = world.network
  world.network.tap = (process, bytes, toHost) => {
    for (const message of messagesIn(bytes)) {
      say(`${process.host} → ${toHost} ${describeMessage(message)}`)
    }
    tap(process, bytes, toHost)
  }
}

function describeMessage(message: Message): string {
  const { type, from: _from, to: _to, ...rest } = message
  const fields = Object.entries(rest).map(([name, value]) => {
    if (name !== 'entries') return `${name}=${JSON.stringify(value)}`
    const entries = value as readonly { index: number }[]
    return entries.length === 0 ? 'empty' : `entries=${entries[0]!.index}…${entries.at(-1)!.index}`
  })
  return `${type} ${fields.join(' ')}`
}

function traceRoles(world: SimWorld, say: Say): void {
  const { afterEvent } = world.scheduler
  const roles = new Map<string, string>()
  world.scheduler.afterEvent = (owner) => {
    const process = owner as SimProcess | null
    const node = world.nodes.find((one) => one.process === process)
    const status = node?.parley?.replica?.status()
    if (node !== undefined && status !== undefined) {
      const role = `${status.role} of term ${status.term}`
      if (roles.get(node.name) !== role) {
        roles.set(node.name, role)
        say(`${node.name} is ${role}, log up to ${status.lastIndex}, commit ${status.commit}`)
      }
    }
    afterEvent(owner)
  }
}

function traceClients({ clients }: SimWorld, say: Say): void {
  const connect = clients.connect.bind(clients)
  clients.connect = (from, address, subprotocol, events) => {
    const socket = connect(from, address, subprotocol, {
      onOpen: () => {
        say(`${from} connected to ${address}`)
        events.onOpen()
      },
      onMessage: (message) => {
        say(`${from} ← ${describeFrame(message)}`)
        events.onMessage(message)
      },
      onClose: (code) => {
        say(`${from} lost ${address}: ${code}`)
        events.onClose(code)
      },
    })
    return {
      get isOpen() {
        return socket.isOpen
      },
      send: (message) => {
        say(`${from} → ${describeFrame(message)}`)
        socket.send(message)
      },
      drop: () => {
        say(`${from} drops ${address}`)
        socket.drop()
      },
    }
  }
}

function describeFrame(message: Uint8Array | string): string {
  const frame: unknown = typeof message === 'string' ? JSON.parse(message) : packr.unpack(message)
  const text = JSON.stringify(frame)
  return text.length > LONGEST_FRAME ? `${text.slice(0, LONGEST_FRAME)}…` : text
}

function traceLives(node: SimNode, say: Say): void {
  for (const what of ['start', 'kill', 'powerCut', 'wipe'] as const) {
    const perform = node[what].bind(node)
    node[what] = () => {
      // Called for those that are up or down already too: then it does nothing.
      if (what === 'wipe' || node.isUp === (what !== 'start')) say(`${node.name} ${what}`)
      perform()
    }
  }
}

function traceDisk(node: SimNode, say: Say): void {
  const { platter } = node
  const portOf = platter.portOf.bind(platter)
  platter.portOf = (process): FileSystem => {
    const port = portOf(process)
    const tell = (what: string) => say(`${node.name} disk ${what}`)
    return {
      ...port,
      open: async (path, options) => traceFile(await port.open(path, options), path, tell),
      rename: (from, to) => {
        tell(`rename ${from} ${to}`)
        return port.rename(from, to)
      },
      remove: (path) => {
        tell(`remove ${path}`)
        return port.remove(path)
      },
      syncDirectory: async (path) => {
        await port.syncDirectory(path)
        tell(`synced ${path}`)
      },
    }
  }
}

function traceFile(file: File, path: string, tell: Say): File {
  return {
    ...file,
    write: (buffer, position) => {
      tell(`write ${path} +${buffer.length} @${position}`)
      return file.write(buffer, position)
    },
    truncate: (length) => {
      tell(`truncate ${path} to ${length}`)
      return file.truncate(length)
    },
    sync: async () => {
      await file.sync()
      tell(`synced ${path}`)
    },
    writeAndSync: (buffer, position, done) => {
      const { length } = buffer
      tell(`write ${path} +${length} @${position}`)
      file.writeAndSync(buffer, position, (error) => {
        tell(`${error === null ? 'synced' : error.message} ${path} +${length} @${position}`)
        done(error)
      })
    },
  }
}
