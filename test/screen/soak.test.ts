// A slice of the night in `npm run bench -- soak`: what grows or stays behind with time shows here, too.
import { expect, test } from 'vitest'
import { soak } from './soak.ts'

test('hours of a busy fleet, with everything opened and closed again and again, leave nothing behind', async () => {
  const { heapMb, left, frames, keys } = await soak({ hours: 3, frameMs: 2000, tours: 12 })
  console.log(`${frames} frames, ${keys} keys; heap in MB hour by hour: ${heapMb.map(mb => mb.toFixed(1)).join(' ')}`)
  expect(left).toEqual([])
  expect(frames).toBeGreaterThan(3 * 1800)
  // The first hour warms up; then a screen kept by one frame in a hundred would be more than this.
  expect(heapMb[3]! - heapMb[1]!).toBeLessThan(2)
})
