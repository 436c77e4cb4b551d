// Bounded ways through the edges: how many calls of one sort are under way at once. The only file that knows p-queue.
import PQueue from 'p-queue'

export type Lanes = {
  /** Creates and terminations at one provider: few at a time, its limit is shared by all of a user's processes. */
  rent<T>(provider: string, work: () => Promise<T>): Promise<T>
  /** Jobs that move files; more only makes each slower. */
  move<T>(work: () => Promise<T>): Promise<T>
}

/** RunPod's example quota is 60 requests a minute (REST v2 OpenAPI, 2026-08): four in flight keep well below it. */
const RENT_MAX = 4
const MOVE_MAX = 6

export function createLanes(): Lanes {
  const rents = new Map<string, PQueue>()
  const moves = new PQueue({ concurrency: MOVE_MAX })
  return {
    rent(provider, work) {
      let lane = rents.get(provider)
      if (!lane) {
        lane = new PQueue({ concurrency: RENT_MAX })
        rents.set(provider, lane)
      }
      return lane.add(work)
    },
    move: work => moves.add(work),
  }
}
