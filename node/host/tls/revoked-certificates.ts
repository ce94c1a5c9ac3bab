import type { X509Certificate } from 'node:crypto'
import { certificateId, readRevocationLists } from '../../identity/certificates/revocation-list.ts'

/** What authorities have taken back, by all lists of one file. */
export class RevokedCertificates {
  /** Wall time in ms when the first of the lists should have been replaced; `null`: none says so. */
  readonly nextUpdate: number | null
  /** Wall time in ms, by issuer and serial number. */
  readonly #since: ReadonlyMap<string, number>

  /**
   * @throws Error whose message says what is wrong with the text; it may be of anybody but the
   * `authorities`, or damaged
   */
  constructor(text: string, authorities: readonly X509Certificate[]) {
    const lists = readRevocationLists(text)
    const known = authorities.map((authority) => ({
      authority,
      name: certificateId(authority).subject,
    }))
    for (const list of lists) {
      const named = known.filter(({ name }) => name.equals(list.issuer))
      if (!named.some(({ authority }) => list.isBy(authority))) {
        throw new Error('it holds a list that is signed by no authority of --peer-ca-file')
      }
    }
    const ends = lists.flatMap(({ nextUpdate }) => nextUpdate ?? [])
    this.nextUpdate = ends.length === 0 ? null : Math.min(...ends)
    this.#since = new Map(
      lists.flatMap(({ issuer, revoked }) =>
        [...revoked].map(([serial, sinceMs]) => [key(issuer, serial), sinceMs] as const),
      ),
    )
  }

  /**
   * Since when a certificate is revoked, in wall ms; `null`: it is not. Of authorities between it and
   * those that are believed a node does not learn on connections that it accepts.
   */
  sinceOf(certificate: X509Certificate): number | null {
    const { issuer, serial } = certificateId(certificate)
    return this.#since.get(key(issuer, serial)) ?? null
  }
}

const key = (issuer: Buffer, serial: string): string => `${issuer.toString('base64')} ${serial}`
