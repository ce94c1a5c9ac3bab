import type { SeededBug } from './seeded-bug.ts'

/** Of what operators do: members, levels, taking nodes out of service, backups. */
export const OPERATOR_BUGS: readonly SeededBug[] = [
  {
    name: 'learner-votes-early',
    story: 'a learner is let vote whatever it lacks',
    file: 'cluster/membership/reconcile.ts',
    find: "return peer?.state === 'replicate' && peer.match + CLOSE_ENTRIES >= commit",
    replace: 'return peer !== undefined || CLOSE_ENTRIES > commit',
    breaks: ['R15'],
  },
  {
    name: 'replacement-beside-the-old',
    story: 'whoever takes the place of a lost member votes beside it',
    file: 'cluster/membership/reconcile.ts',
    find: 'old === undefined ? promote(configuration, learner) : without(configuration, old)',
    replace: 'promote(configuration, learner)',
    breaks: ['R15'],
  },
  {
    name: 'command-above-the-level',
    story: 'a command of the next feature level is taken before the level is raised',
    file: 'node/forwarder.ts',
    find: 'if (needed > this.#host.level()) {',
    replace: 'if (needed > this.#host.level() + 1) {',
    breaks: ['R9', 'R22'],
  },
  {
    name: 'leads-out-of-service',
    story: 'a node that is taken out of service finds nobody to hand leadership to',
    file: 'node/node-drain.ts',
    find: '(id) => this.#host.fitness(id))',
    replace: '(id) => this.#host.fitness(id) - 2)',
    breaks: ['R23'],
  },
  {
    name: 'back-without-clients',
    story: 'a node that is put back into service goes on sending its clients away',
    file: 'node/node-drain.ts',
    find: '    this.#host.takeClients()\n',
    replace: '',
    breaks: ['R10', 'R23'],
  },
  {
    name: 'backup-loses-a-pair',
    story: 'a backup lacks the pair after which its reading rests',
    file: 'node/backup/paced-pairs.ts',
    find: '    yield pair\n    if (pacer.due()) await pacer.pause()\n',
    replace: '    if (pacer.due()) await pacer.pause()\n    else yield pair\n',
    breaks: ['R7', 'R9', 'R21', 'R24'],
  },
  {
    name: 'backup-of-two-indexes',
    story: 'a backup is of a checkpoint and says that it is of the newest entry of the log',
    file: 'node/backup/backups.ts',
    find: 'const { index, term } = snapshot.cut',
    replace: 'const { index, term } = { ...snapshot.cut, index: log.lastIndex() }',
    breaks: ['R7', 'R21'],
  },
  {
    name: 'restore-keeps-the-epoch',
    story: 'a cluster that is restored has the epoch of the one that the backup is of',
    file: 'node/backup/restore.ts',
    find: '{ ...identity, configuration: configurationOf(targets, members) }',
    replace:
      '{\n      ...identity,\n      epoch: manifest.epoch,\n      configuration: configurationOf(targets, members),\n    }',
    breaks: ['R24'],
  },
]
