// Whose money it was: shares that add up to the pod's bill.
import { expect, test } from 'vitest'
import { allocate, hourlyRate, jobCost, runCost } from '../../src/domain/cost.ts'
import { podCost } from '../../src/domain/pod.ts'
import { A40, MINUTE, newWorld, queue, RUN, SECOND, type World } from '../screen/fleets.ts'

function end(world: World, jobId: string, attempt = 1): void {
  const fault = { kind: 'pod' as const, code: 'tunnel_dead', message: 'the tunnel died' }
  world.add({ type: 'attempt.failed', jobKey: `${RUN}/${jobId}`, attempt, fault })
}

const sumOfJobs = (world: World) =>
  [...world.fleet.jobs.values()].reduce((sum, job) => sum + jobCost(world.fleet, job, world.now()), 0)
const costOf = (world: World, jobId: string) =>
  jobCost(world.fleet, world.fleet.jobs.get(`${RUN}/${jobId}`)!, world.now())

test('the boot belongs to the first job, each job pays until the next one is given to the pod', () => {
  const world = newWorld()
  queue(world, ['first', 'second', 'never'])
  world.podReady('pod-0001', 8188)
  world.startJob('first', 'pod-0001')
  world.pass(MINUTE)
  end(world, 'first')
  world.pass(26 * SECOND)
  const untilSecond = podCost(world.fleet.pods.get('pod-0001')!, world.now())
  world.startJob('second', 'pod-0001')
  world.pass(7 * SECOND)
  expect(costOf(world, 'first')).toBe(untilSecond)
  // Three minutes at $0.49 an hour: the boot of 90 s, the minute and 30 s around it.
  expect(untilSecond).toBe(24_500)
  expect(costOf(world, 'second')).toBe(podCost(world.fleet.pods.get('pod-0001')!, world.now()) - untilSecond)
  expect(costOf(world, 'never')).toBe(0)
})

test('the shares add up to the bill to the micro-dollar, over attempts, pods, prices and the end', () => {
  const world = newWorld()
  queue(world, ['a', 'b', 'c'])
  world.podReady('pod-0001', 8188)
  world.pass(333)
  world.podReady('pod-0002', 8189)
  world.startJob('a', 'pod-0001')
  world.pass(777)
  world.startJob('b', 'pod-0002')
  end(world, 'a')
  world.startJob('a', 'pod-0001', 2)
  world.pass(1234)
  end(world, 'a', 2)
  end(world, 'b')
  world.startJob('a', 'pod-0002', 3)
  world.startJob('c', 'pod-0001')
  world.pass(31_337)
  end(world, 'c')
  world.add({ type: 'pod.stop_requested', podId: 'pod-0001' }, { type: 'pod.stopped', podId: 'pod-0001', perHour: 7 })
  world.pass(59_999)
  const bill = () => [...world.fleet.pods.values()].reduce((sum, pod) => sum + podCost(pod, world.now()), 0)
  expect(sumOfJobs(world)).toBe(bill())
  expect(runCost(world.fleet, RUN, world.now())).toBe(bill())
  for (const podId of ['pod-0001', 'pod-0002'])
    world.add(
      { type: 'pod.release_requested', podId, cause: 'done' },
      { type: 'pod.gone', podId, billedUntil: world.now() },
    )
  const final = bill()
  world.pass(MINUTE)
  expect(bill()).toBe(final)
  expect(sumOfJobs(world)).toBe(final)
})

test('two attempts in the same moment do not pay twice', () => {
  const world = newWorld()
  queue(world, ['a', 'b'])
  world.podReady('pod-0001', 8188)
  world.add({ type: 'attempt.requested', jobKey: `${RUN}/a`, attempt: 1, podId: 'pod-0001', promptId: 'p' })
  end(world, 'a')
  world.startJob('b', 'pod-0001')
  expect(sumOfJobs(world)).toBe(podCost(world.fleet.pods.get('pod-0001')!, world.now()))
})

test('a pod nobody used costs the run, but no job', () => {
  const world = newWorld()
  queue(world, ['a'])
  world.podReady('pod-0001', 8188)
  expect(allocate(world.fleet).has('pod-0001')).toBe(false)
  expect(sumOfJobs(world)).toBe(0)
  expect(runCost(world.fleet, RUN, world.now())).toBe(12_250)
  expect(runCost(world.fleet, null, world.now())).toBe(12_250)
  expect(runCost(world.fleet, 'run_other', world.now())).toBe(0)
})

test('the hourly rate counts every open meter, stopped pods at their own price, and nothing that is gone', () => {
  const world = newWorld()
  world.add({ type: 'pod.requested', podId: 'pod-0009', runId: RUN, name: 'n', offer: { ...A40, perHour: 1_000_000 } })
  expect(hourlyRate(world.fleet, world.now())).toBe(1_000_000)
  world.podReady('pod-0001', 8188)
  expect(hourlyRate(world.fleet, world.now())).toBe(1_490_000)
  world.add(
    { type: 'pod.stop_requested', podId: 'pod-0001' },
    { type: 'pod.stopped', podId: 'pod-0001', perHour: 20_000 },
  )
  expect(hourlyRate(world.fleet, world.now())).toBe(1_020_000)
  expect(hourlyRate(world.fleet, world.now(), 'run_other')).toBe(0)
  const fault = { kind: 'capacity' as const, code: 'capacity_absent', message: 'none left' }
  world.add({ type: 'pod.refused', podId: 'pod-0009', fault })
  world.add({ type: 'pod.release_requested', podId: 'pod-0001', cause: 'done' })
  expect(hourlyRate(world.fleet, world.now())).toBe(20_000)
  world.add({ type: 'pod.gone', podId: 'pod-0001', billedUntil: world.now() })
  expect(hourlyRate(world.fleet, world.now())).toBe(0)
})
