import { Prng } from '../prng.ts'
import type { FaultHooks, Of } from './nemesis.ts'
import type { SimNode } from './sim-node.ts'
import type { SimWorld } from './sim-world.ts'
import { mayForget, mayHurt } from './survivable.ts'

const inLog = (path: string) => path.includes('/log/')

/** What a disk refuses to do, or does late, and holds all the same. Says whether somebody uses it. */
export function breakDisk(
  fault: Of<'slowDisk' | 'diskError' | 'diskFull' | 'readError'>,
  { platter, databases, isUp }: SimNode,
  until: FaultHooks['until'],
): boolean {
  const { faults } = platter
  const met = () => platter.errors + databases.errors
  const [errors, slowed, refused] = [met(), platter.slowed, platter.refused + databases.errors]
  switch (fault.kind) {
    case 'slowDisk':
      faults.slowness = databases.slowness = fault.factor
      until(fault.forMs, () => {
        faults.slowness = databases.slowness = 1
        return platter.slowed > slowed
      })
      break
    case 'diskError': {
      const kind = fault.operation === 'write' ? 'writeErrorShare' : 'syncErrorShare'
      faults[kind] = fault.share
      until(fault.forMs, () => {
        faults[kind] = 0
        return met() > errors
      })
      break
    }
    case 'diskFull':
      faults.roomBytes = fault.roomBytes
      databases.isFull = fault.roomBytes === 0
      until(fault.forMs, () => {
        faults.roomBytes = null
        databases.isFull = false
        return platter.refused + databases.errors > refused
      })
      break
    case 'readError':
      faults.readErrorShare = databases.readErrorShare = fault.share
      until(fault.forMs, () => {
        faults.readErrorShare = databases.readErrorShare = 0
        return met() > errors
      })
      // Felt by whoever reads meanwhile: what a node holds in memory it does not read.
      return false
  }
  return isUp
}

/** What takes from a disk what it had promised to keep. Says whether it did. */
export function hurtDisk(
  world: SimWorld,
  fault: Of<'storeRot' | 'logRot' | 'wipe' | 'lostWrite' | 'misdirect' | 'rollback'>,
  node: SimNode,
  { until, bit }: FaultHooks,
): boolean {
  for (const other of world.nodes) other.noteReplaced(isVoter(world, other))
  if (!mayHurt(world.members, node)) return false
  // Emptied, it would do what its settings say: found a cluster of its own (rule K1).
  if (fault.kind === 'wipe' && node.foundsAlone) return false
  if (fault.kind === 'rollback') return rollBack(world, fault, node, { until, bit })
  node.hurt(fault.kind === 'wipe' ? 'emptied' : 'damaged')
  const isLive = 'isLive' in fault && fault.isLive
  if (fault.kind === 'wipe') node.powerCut()
  else if (!isLive) node.kill()
  const bites = damage(fault, node)
  if (bites) bit()
  if (!isLive || !node.isUp) {
    until(fault.forMs, () => {
      node.start()
      return false
    })
  }
  return bites
}

function damage(
  fault: Of<'storeRot' | 'logRot' | 'wipe' | 'lostWrite' | 'misdirect'>,
  node: SimNode,
): boolean {
  const { platter, databases } = node
  switch (fault.kind) {
    case 'wipe':
      node.wipe()
      return true
    case 'storeRot':
      return databases.rot() !== null
    case 'logRot':
      return platter.rot(new Prng(fault.draw), inLog) !== null
    case 'lostWrite':
    case 'misdirect':
      return platter.loseWrite(new Prng(fault.draw), inLog, fault.kind === 'misdirect') !== null
  }
}

/** An image of the whole disk is taken now and put back later, as of a virtual machine. */
function rollBack(
  world: SimWorld,
  fault: Of<'rollback'>,
  node: SimNode,
  { until, bit }: FaultHooks,
): boolean {
  const restore = node.image()
  until(fault.ageMs, () => {
    for (const other of world.nodes) other.noteReplaced(isVoter(world, other))
    const others = world.nodes.filter((other) => other !== node && !other.isHurt)
    const voters = leaderOf(world)?.voters ?? []
    const disks = others.map(({ disk }) => disk)
    if (!mayHurt(world.members, node)) return false
    if (!mayForget(node.disk, restore.log, disks, voters)) return false
    const forgets = node.disk.lastIndex
    node.hurt('damaged')
    node.powerCut()
    restore.restore()
    if (node.disk.lastIndex < forgets) bit()
    until(fault.forMs, () => {
      node.start()
      return false
    })
    return false
  })
  return false
}

function leaderOf({ nodes }: SimWorld): SimNode | undefined {
  return nodes.find(({ parley }) => {
    const replica = parley?.replica
    return replica?.hasAuthority === true && replica.configurationCommitted
  })
}

/** Whether the leader counts on the replica that is on this node's disk now. */
function isVoter(world: SimWorld, { disk }: SimNode): boolean {
  return disk.raftId !== '' && leaderOf(world)?.voters.includes(disk.raftId) === true
}
