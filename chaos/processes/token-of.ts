import { createHmac } from 'node:crypto'

export const TOKEN_SECRET = 'thirty-two bytes are a good length'

/** A token as its standard has it (RFC 7515, HS256), by no library of the product. */
export function tokenOf(claims: object, more: { secret?: string; head?: object } = {}): string {
  const { secret = TOKEN_SECRET, head = { alg: 'HS256' } } = more
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const iat = Math.floor(Date.now() / 1000)
  const signed = `${part(head)}.${part({ iat, exp: iat + 600, ...claims })}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

export const bearer = (claims: object): { authorization: string } => ({
  authorization: `Bearer ${tokenOf(claims)}`,
})
