import type { Socket } from '../ports.ts'

/** The global WebSocket of browsers and of Node 24 as a `Socket`. */
export function openWebSocket(url: string, subprotocol: string): Socket {
  const socket: Socket = {
    send: () => {},
    close: () => {},
    onOpen: () => {},
    onMessage: () => {},
    onClose: () => {},
  }
  let webSocket: WebSocket
  try {
    webSocket = new WebSocket(url, subprotocol)
  } catch (error) {
    // A URL that the platform refuses outright, such as `ws:` from a page served over `https:`.
    const reason = error instanceof Error ? error.message : String(error)
    setTimeout(() => socket.onClose(1006, reason), 0)
    return socket
  }
  webSocket.binaryType = 'arraybuffer'
  let isClosed = false
  const closed = (code: number, reason: string): void => {
    if (isClosed) return
    isClosed = true
    socket.onClose(code, reason)
  }
  socket.send = (data) => {
    if (webSocket.readyState === WebSocket.OPEN) webSocket.send(data as Uint8Array<ArrayBuffer>)
  }
  socket.close = (code, reason) => webSocket.close(code, reason)
  webSocket.addEventListener('open', () => socket.onOpen())
  webSocket.addEventListener('message', (event) => {
    const data: unknown = event.data
    if (typeof data === 'string') socket.onMessage(data)
    else if (data instanceof ArrayBuffer) socket.onMessage(new Uint8Array(data))
  })
  webSocket.addEventListener('close', (event) => closed(event.code, event.reason))
  // `close` follows every `error`; without a listener some platforms report it as uncaught.
  webSocket.addEventListener('error', () => {})
  return socket
}
