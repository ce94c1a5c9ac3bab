/** How many messages the node at `url` has applied since it started, by its metrics. */
export async function messagesApplied(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^parley_messages_applied_total(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1] ?? NaN)
}
