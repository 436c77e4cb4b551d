// A slice of the night in `npm run bench -- soak`: what grows or stays behind with time shows here, too.
import { expect, test } from 'vitest'
import { soak } from './soak.ts'

test('hours of a busy fleet, with everything opened and closed again and again, leave nothing behind', async () => {
  // Each tour opens and closes 27 panels, pages and dialogs: a thousand in all.
  const { heapMb, left, frames, keys } = await soak({ hours: 2, frameMs: 2000, tours: 38 })
  console.log(`${frames} frames, ${keys} keys; heap in MB hour by hour: ${heapMb.map(mb => mb.toFixed(1)).join(' ')}`)
  expect(left).toEqual([])
  expect(frames).toBeGreaterThan(2 * 1800)
  // The first hour warms up; then a screen kept by one frame in a hundred would be more than this.
  expect(heapMb[2]! - heapMb[1]!).toBeLessThan(2)
})
