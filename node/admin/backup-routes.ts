import { wireError } from '#protocol'
import type { Backups } from '../backup/backups.ts'
import type { VerifiedBackups } from '../backup/verified-backup.ts'
import type { HttpResponse } from '../gateway/client-listener.ts'
import { notServing } from '../gateway/handlers/read-position.ts'
import { problemOf } from '../gateway/problem.ts'
import { markHeader } from '../http/answer.ts'
import { jsonOf } from '../http/json-call.ts'
import type { HttpCall, Route } from '../http/route.ts'
import {
  ADMIN_PROBLEMS,
  BODY_PROBLEMS,
  invalid,
  jsonAnswer,
  POSITION_PARAMETERS,
  positionRefusal,
} from './operator-call.ts'

export interface BackupRoutesHost {
  readonly backups: Backups
  readonly verified: VerifiedBackups
  /** Identity of the cluster that this node is part of (rule K8). */
  readonly identity: () => { readonly clusterId: string; readonly epoch: string } | null
}

/** Of the file: it is no part of a conversation with the node. */
const CONTENT_TYPE = 'application/vnd.parley.backup'

const VERIFIED_SCHEMA = {
  type: 'object',
  required: ['index', 'takenAtMs'],
  properties: {
    index: { type: 'integer', description: 'Of the newest one known here; 0: none.' },
    takenAtMs: { type: 'integer', description: 'Wall time in ms.' },
  },
} as const

/** Copies of everything, for the day on which the cluster is gone. */
export function backupRoutes(host: BackupRoutesHost): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/cluster/backup',
      doc: {
        operationId: 'backup',
        summary: 'A backup of the whole cluster, as this node has applied it',
        description:
          'A file that ends in an end marker: without it the answer was cut off, and is no backup. ' +
          'One at a time on a node, which goes on serving; a node that does not lead is best.',
        parameters: POSITION_PARAMETERS,
        role: 'admin',
        answers: {
          200: {
            description: 'The file, as it is read.',
            contentType: CONTENT_TYPE,
            schema: { type: 'string', format: 'binary' },
          },
        },
        problems: {
          400: 'A parameter is wrong.',
          ...ADMIN_PROBLEMS,
          503: 'Another backup is being read here, or this node serves nobody.',
        },
      },
      answer: (call) => backup(host, call),
    },
    {
      method: 'POST',
      path: '/v1/cluster/backup/verified',
      doc: {
        operationId: 'backupVerified',
        summary: 'Tells that a backup of this cluster was read whole and found good',
        description:
          'The metric of which the alert on stale backups is made. An older one is ignored.',
        role: 'admin',
        body: {
          description: 'As the backup says of itself.',
          jsonOnly: true,
          schema: {
            type: 'object',
            required: ['clusterId', 'epoch', 'index', 'takenAtMs'],
            properties: {
              clusterId: { type: 'string' },
              epoch: { type: 'string' },
              index: { type: 'integer', minimum: 1 },
              takenAtMs: { type: 'integer', minimum: 1 },
            },
          },
        },
        answers: {
          200: { description: 'The newest one known to this node.', schema: VERIFIED_SCHEMA },
        },
        problems: BODY_PROBLEMS,
      },
      answer: (call) => verified(host, call),
    },
  ]
}

async function backup({ backups }: BackupRoutesHost, call: HttpCall): Promise<HttpResponse> {
  const refusal = notServing(call.context) ?? (await positionRefusal(call))
  if (refusal !== null) return problemOf(refusal)
  const opened = await backups.open()
  if (opened === null) {
    const busy = 'Another backup is being read from this node; ask another one, or later.'
    return problemOf(wireError('OVERLOADED', busy))
  }
  const { clusterId, index } = opened.manifest
  return {
    status: 200,
    contentType: CONTENT_TYPE,
    body: '',
    headers: {
      ...markHeader(call.context),
      'content-disposition': `attachment; filename="parley-${clusterId.slice(0, 8)}-${index}.backup"`,
    },
    stream: opened,
  }
}

async function verified(host: BackupRoutesHost, call: HttpCall): Promise<HttpResponse> {
  const fields = await jsonOf(call)
  if ('refusal' in fields) return fields.refusal
  const { clusterId, epoch, index, takenAtMs } = fields.json
  const own = host.identity()
  if (own === null || clusterId !== own.clusterId || epoch !== own.epoch) {
    return invalid('it is a backup of another cluster, or of this one before a restore')
  }
  const nowMs = Math.floor(call.context.clock.wallMs())
  if (!isFrom(1, index) || index > call.context.backend.state.appliedIndex) {
    return invalid('index must be one that this cluster has come to')
  }
  if (!isFrom(1, takenAtMs)) return invalid('takenAtMs must be a wall time in ms')
  // A backup of tomorrow would keep the alert still for a day.
  const backup = { index, takenAtMs: Math.min(takenAtMs, nowMs) }
  return jsonAnswer(await host.verified.verified(backup), call.context)
}

function isFrom(least: number, value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least
}
