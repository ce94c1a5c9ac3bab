import type { X509Certificate } from 'node:crypto'

/**
 * The nodes that a certificate lets its owner be: `n1` of `parley://n1`. Of one that says nothing of
 * the kind, by an authority that cannot, its host names are meant.
 */
export function nodeNames({
  subjectAltName = '',
}: Pick<X509Certificate, 'subjectAltName'>): string[] {
  const named = (kind: RegExp): string[] =>
    subjectAltName.split(', ').flatMap((name) => kind.exec(name)?.[1] ?? [])
  const own = named(/^URI:parley:\/\/([A-Za-z0-9][A-Za-z0-9._-]{0,62})$/)
  return own.length > 0 ? own : named(/^DNS:([A-Za-z0-9][A-Za-z0-9._-]{0,62})$/)
}
