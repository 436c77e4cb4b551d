// Twelve hours of a busy fleet in fast time, everything opened and closed a thousand times: what has grown, and what is left.
import { soak as live } from '../screen/soak.ts'
import { type Bench, limited } from './row.ts'

const HOURS = 12
const TOLD = [0, 1, 6, 12]

export const soak: Bench = {
  async run(say) {
    say(`${HOURS} h, a frame a second, 1,000 tours of all panels: some minutes …`)
    const { heapMb, left, frames, keys, bytes } = await live(
      { hours: HOURS, frameMs: 1000, tours: 1000 },
      (hour, mb) => {
        if (TOLD.includes(hour)) say(`heap after ${hour} h: ${mb.toFixed(2)} MB`)
      },
    )
    say(`${frames} frames, ${keys} keys, ${(bytes / 1e6).toFixed(0)} MB written`)
    for (const what of left) say(`left: ${what}`)
    return [
      limited('heap growth from 1 h to 12 h', Number((heapMb[HOURS]! - heapMb[1]!).toFixed(2)), 'MB', 1),
      limited('listeners, timers and handles left', left.length, '', 0),
    ]
  },
}
