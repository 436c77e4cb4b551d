// What a local connection gets while nothing answers on the pod: an HTTP client is told to come again, anything else is cut.
import type { Socket } from 'node:net'
import { after } from '../clock.ts'

const REQUEST = /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /
/** In what a client is told when the pod answers and nothing listens on its port: clients of ours know it by this. */
export const NOBODY_LISTENS = 'of the pod does not answer yet'
/** A client of ours speaks first; whoever says nothing for this long is no HTTP client. */
const FIRST_BYTES_MS = 1000

export function unavailable(socket: Socket, why: string): void {
  const stop = after(FIRST_BYTES_MS, () => socket.destroy())
  socket.once('close', stop)
  socket.once('end', () => socket.end())
  socket.once('data', chunk => {
    stop()
    if (!REQUEST.test(chunk.toString('latin1'))) return socket.destroy()
    const body = `${why}\n`
    socket.end(
      'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Type: text/plain; charset=utf-8\r\n' +
        `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    )
    // Closing with unread bytes of the request would reset the connection before the answer is read.
    socket.resume()
    const giveUp = after(FIRST_BYTES_MS, () => socket.destroy())
    socket.once('close', giveUp)
  })
}
