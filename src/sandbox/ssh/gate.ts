// The one way to send bytes to a client's channel: one write at a time, stdout and stderr together.
//
// ssh2 1.17.0 keeps a write that waits for window in `_chunk`/`_chunkErr`, never clears it, and on a window adjustment serves
// stdout's first: a stderr write that waits after a stdout write did would send the old bytes again and call back twice,
// which throws. So: never two writes under way, and the leftovers are cleared after each. It also forgets the callback of a
// write on a channel that is not open any more; `shut` releases that one.
import type { ServerChannel } from 'ssh2'

export type Gate = {
  /** Resolves when the bytes were handed to the connection, or at once when the channel is gone. */
  send(data: Buffer, to?: 'out' | 'err'): Promise<void>
  shut(): void
}

export function openGate(channel: ServerChannel): Gate {
  let open = true
  let last: Promise<void> = Promise.resolve()
  let release = () => {}

  const write = (data: Buffer, to: 'out' | 'err') =>
    new Promise<void>(resolve => {
      if (!open) return resolve()
      release = resolve
      const stream = to === 'err' ? channel.stderr : channel
      stream.write(data, () => {
        Object.assign(channel, { _chunk: undefined, _chunkcb: undefined, _chunkErr: undefined, _chunkcbErr: undefined })
        resolve()
      })
    })

  return {
    send: (data, to = 'out') => {
      last = last.then(() => write(data, to))
      return last
    },
    shut: () => {
      open = false
      release()
    },
  }
}
