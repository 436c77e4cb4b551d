// A fleet of which every figure changes from one frame to the next: what a frame costs at its dearest.
import { newWorld, queue, type World } from './fleets.ts'

export type Changing = {
  world: World
  /** Moves time on and changes every gauge. */
  step(ms: number): void
}

/** `count` jobs at work on a pod each. */
export function changingWorld(count: number): Changing {
  const world = newWorld()
  const numbers = Array.from({ length: count }, (_, index) => String(index).padStart(4, '0'))
  queue(
    world,
    numbers.map(number => `job-${number}`),
  )
  for (const [index, number] of numbers.entries()) {
    world.podReady(`pod-${number}`, 8188 + index)
    world.startJob(`job-${number}`, `pod-${number}`)
    world.jobGauge(`job-${number}`, {})
    world.podGauge(`pod-${number}`, { history: [0, 50] })
  }
  const jobs = [...world.gauges.jobs.values()]
  const pods = [...world.gauges.pods.values()]
  let frame = 0
  return {
    world,
    step(ms) {
      frame++
      world.pass(ms)
      const at = world.now()
      for (let index = 0; index < count; index++) {
        // In place: what the world leaves behind for the garbage collector would be taken for the screen's.
        const [job, pod] = [jobs[index]!, pods[index]!]
        const gpuUtil = (frame * 7 + index) % 100
        job.at = pod.at = at
        job.fraction = ((frame + index) % 100) / 100
        pod.gpuUtil = gpuUtil
        pod.vramUsedMiB = (frame * 100) % 49_152
        pod.history[0] = gpuUtil
      }
    },
  }
}
