import type { X509Certificate } from 'node:crypto'

const NAME = '[A-Za-z0-9][A-Za-z0-9._-]{0,62}'
/** What stands for the node's name in a pattern. */
const PLACE = '{name}'

/**
 * The nodes that a certificate lets its owner be: `n1` of `parley://n1`. Of one that says nothing of
 * the kind, by an authority that cannot, its host names are meant. With `patterns`, such as
 * `{name}.chat.example.org` or `spiffe://example.org/chat/{name}`, only what one of them describes.
 */
export function nodeNames(
  { subjectAltName = '' }: Pick<X509Certificate, 'subjectAltName'>,
  patterns: readonly string[] = [],
): string[] {
  // Node.js writes a comma within a name as an escape: a name cannot pass for two.
  const all = subjectAltName.split(', ')
  const named = (kind: 'URI' | 'DNS', pattern: RegExp): string[] =>
    all.flatMap((one) =>
      one.startsWith(`${kind}:`) ? (pattern.exec(one.slice(4))?.[1] ?? []) : [],
    )
  if (patterns.length > 0) {
    return patterns.flatMap((one) => named(one.includes('://') ? 'URI' : 'DNS', expression(one)))
  }
  const own = named('URI', expression(`parley://${PLACE}`))
  return own.length > 0 ? own : named('DNS', expression(PLACE))
}

/** Around a host name no other part may be taken for the node's: `{name}.example` is none of `a.b.example`. */
function expression(pattern: string): RegExp {
  const name = pattern === PLACE || pattern.includes('://') ? NAME : NAME.replace('._-', '_-')
  const [before = '', after = ''] = pattern.split(PLACE).map((part) => RegExp.escape(part))
  return new RegExp(`^${before}(${name})${after}$`, pattern.includes('://') ? '' : 'i')
}
