import { createHash, createHmac, hkdfSync } from 'node:crypto'
import { readBounded } from '../bounded-file.ts'

/** A shorter one could be guessed by who dials a node as often as he likes. */
const LEAST_SECRET_BYTES = 32

/** What the members of a cluster share, as TLS takes it (RFC 8446 §2.2). */
export interface ClusterSecret {
  /** Named in the open: tells secrets from each other and says nothing of them. */
  readonly id: string
  readonly key: Buffer
}

export interface ClusterSecrets {
  /** The first is dialled with, all are accepted. */
  readonly secrets: readonly ClusterSecret[]
  /** Equal for equal files. */
  readonly digest: string
}

/**
 * Reads the secrets of each file, one a line.
 *
 * @throws Error whose message names the file and says what is wrong with it
 */
export async function readClusterSecrets(paths: readonly string[]): Promise<ClusterSecrets> {
  const secrets: ClusterSecret[] = []
  for (const path of paths) {
    const text = await readBounded(path).catch((error: Error) => {
      throw new Error(`cannot read ${path}: ${error.message}`, { cause: error })
    })
    for (const line of text.trim().split(/\r?\n/)) {
      const bytes = Buffer.from(line.trim())
      if (bytes.length < LEAST_SECRET_BYTES) {
        throw new Error(
          `${path} is too short: a cluster secret has at least ${LEAST_SECRET_BYTES} bytes, this one ${bytes.length}; make one with: parley certs secret FILE`,
        )
      }
      secrets.push(clusterSecret(bytes))
    }
  }
  const ids = secrets.map(({ id }) => id)
  return { secrets, digest: createHash('sha256').update(ids.join()).digest('hex') }
}

function clusterSecret(bytes: Buffer): ClusterSecret {
  const id = createHmac('sha256', bytes).update('parley cluster secret id').digest('hex')
  const key = hkdfSync('sha256', bytes, '', 'parley peers', 32)
  return { id: id.slice(0, 16), key: Buffer.from(key) }
}
