// The pure cloud: life cycle, money and failures, in times of its own.
import { describe, expect, it } from 'vitest'
import { billed, billedSeconds } from '../../src/sandbox/bills.ts'
import {
  act,
  advance,
  balance,
  change,
  create,
  due,
  list,
  promptFate,
  read,
  readdress,
  resume,
  spend,
  stageOf,
  topUp,
} from '../../src/sandbox/cloud.ts'
import { diceFrom, failureAsked, parseFaults } from '../../src/sandbox/faults.ts'
import { type Cloud, calm, newCloud, type Order, type Pod, type Settings } from '../../src/sandbox/state.ts'
import { changeVolume, createVolume, deleteVolume } from '../../src/sandbox/volumes.ts'

const order = (changes: Partial<Order> = {}): Order => ({
  name: 'one',
  image: 'image',
  args: '',
  disk: 20,
  env: {},
  ports: ['22/tcp'],
  registry: null,
  cloud: 'SECURE',
  gpu: { id: 'NVIDIA A40', count: 1 },
  cpu: null,
  dataCenterIds: null,
  mounts: {},
  globalNetworking: false,
  startSsh: false,
  ...changes,
})
const world = (faults: string[] = [], settings: Partial<Settings> = {}) =>
  newCloud(7, { ...calm, ...settings, faults: parseFaults(faults) })
const rent = (cloud: Cloud, nowMs: number, changes: Partial<Order> = {}): [Cloud, Pod] => {
  const [next, creation] = create(cloud, nowMs, order(changes))
  if (creation.kind !== 'created') throw new Error(`not created: ${JSON.stringify(creation)}`)
  return [next, creation.pod]
}
const refusal = (cloud: Cloud, changes: Partial<Order>) => {
  const [, creation] = create(cloud, 0, order(changes))
  return creation.kind === 'refused' ? [creation.status, creation.detail] : creation.kind
}
const billOf = (cloud: Cloud, id: string, nowMs: number) => {
  const bill = cloud.bills[id]
  if (!bill) throw new Error(`no bill of ${id}`)
  return billed(bill, nowMs)
}
const hour = 3_600_000

describe('the life of a pod', () => {
  it('is RUNNING from the first moment and passes its stages by the clock', () => {
    const [cloud, pod] = rent(world(), 1000)
    expect(pod.status).toBe('RUNNING')
    expect(pod.id).toMatch(/^[a-z0-9]{14}$/)
    const stages = [1000, 2199, 2200, 2800, 4000].map(nowMs => stageOf(pod, nowMs, cloud.settings))
    expect(stages).toEqual(['placing', 'placing', 'addressed', 'sshd', 'ready'])
  })

  it('keeps price and id through stop and start, with a new container, new ports and an empty container disk', () => {
    const [rented, pod] = rent(world(), 0)
    const [stopped] = act(rented, 1000, pod.id, 'stop')
    expect(read(stopped, 1000, pod.id)).toMatchObject({ status: 'EXITED', microPerHour: pod.microPerHour, disks: 2 })
    const [started] = act(stopped, 2000, pod.id, 'start')
    const again = read(started, 2000, pod.id)
    expect(again).toMatchObject({ status: 'RUNNING', container: 2, startedAtMs: 2000 })
    expect(again?.publicPorts['22']).not.toBe(pod.publicPorts['22'])
  })

  it('refuses an action that does not fit the state or the lock', () => {
    const [rented, pod] = rent(world(), 0)
    expect(act(rented, 1, pod.id, 'start')[1]).toMatchObject({ kind: 'refused', status: 409 })
    const [locked] = change(rented, 1, pod.id, { locked: true })
    expect(act(locked, 2, pod.id, 'stop')[1]).toMatchObject({ kind: 'refused', status: 409 })
    expect(act(locked, 2, 'nosuchpod', 'stop')[1]).toMatchObject({ kind: 'refused', status: 404 })
  })

  it('is gone from reads and lists as soon as it is terminated, and its bill stays', () => {
    const [rented, pod] = rent(world(), 0)
    const [ended, outcome] = act(rented, hour, pod.id, 'terminate')
    expect(outcome).toEqual({ kind: 'done', pod: null })
    expect(read(ended, hour, pod.id)).toBeNull()
    expect(list(ended, hour)[1]).toEqual({ kind: 'pods', pods: [] })
    expect(billOf(ended, pod.id, 9 * hour).total).toBe(490_000)
  })

  it('makes the container anew when a container field changes, and not for a name', () => {
    const [rented, pod] = rent(world(), 0)
    const [named] = change(rented, 1, pod.id, { name: 'two' })
    expect(read(named, 1, pod.id)).toMatchObject({ name: 'two', container: 1, disks: 1 })
    const [changed] = change(named, 2, pod.id, { env: { A: '1' } })
    expect(read(changed, 2, pod.id)).toMatchObject({ container: 2, disks: 2, startedAtMs: 2 })
  })

  it('comes back with the same disk after the whole cloud was down', () => {
    const [rented, pod] = rent(world(), 0)
    expect(read(resume(rented, 5000), 5000, pod.id)).toMatchObject({ container: 2, disks: 1, startedAtMs: 5000 })
  })

  it('takes real ports only for the container they belong to', () => {
    const [rented, pod] = rent(world(), 0)
    expect(readdress(rented, pod.id, 1, { 22: 4242 }).pods[pod.id]?.publicPorts).toEqual({ 22: 4242 })
    expect(readdress(rented, pod.id, 2, { 22: 4242 })).toBe(rented)
  })
})

describe('money', () => {
  it('runs from the create request, by the GPU, rounded up once', () => {
    const [cloud, pod] = rent(world(), 0, { gpu: { id: 'NVIDIA A40', count: 2 } })
    expect(billOf(cloud, pod.id, 0).total).toBe(0)
    expect(billOf(cloud, pod.id, 1).total).toBe(1)
    expect(billOf(cloud, pod.id, 1000).total).toBe(Math.ceil(980_000 / 3600))
    expect(spend(cloud)).toBe(980_000)
  })

  it('charges a stopped pod nothing but its volume disk, at the doubled price', () => {
    const [rented, pod] = rent(world(), 0, { mounts: { persistent: { size: 73, path: '/workspace' } } })
    const [stopped] = act(rented, hour, pod.id, 'stop')
    expect(billOf(stopped, pod.id, hour)).toEqual({ gpu: 490_000, cpu: 0, disk: 10_000, total: 500_000 })
    expect(billOf(stopped, pod.id, 2 * hour)).toEqual({ gpu: 490_000, cpu: 0, disk: 30_000, total: 520_000 })
    expect(billedSeconds(stopped.bills[pod.id] ?? { id: '', name: '', meters: [] }, 2 * hour)).toBe(3600)
  })

  it('adds up without loss over any cut of the time', () => {
    const [cloud, pod] = rent(world(), 0)
    const cuts = [0, 1, 17, 999, 1000, 5003, 777_777, hour]
    const parts = cuts
      .slice(1)
      .map((at, i) => billOf(cloud, pod.id, at).total - billOf(cloud, pod.id, cuts[i] ?? 0).total)
    expect(parts.reduce((sum, part) => sum + part, 0)).toBe(billOf(cloud, pod.id, hour).total)
  })

  it('takes the balance down, and refuses when less than an hour is left', () => {
    const [rented] = rent(world([], { balanceMicro: 1_000_000 }), 0)
    expect(balance(rented, hour)).toBe(510_000)
    const [, later] = create(rented, 2 * hour, order())
    expect(later).toMatchObject({ kind: 'refused', status: 402 })
  })

  it('refuses what would pass the spend limit', () => {
    const cloud = world([], { spendLimitMicro: 500_000 })
    expect(refusal(cloud, { gpu: { id: 'NVIDIA A40', count: 2 } })).toEqual([
      400,
      'Renting this pod would put you over your current spending limit ($80.00/hr).',
    ])
  })

  it('ends pods when the money is gone, exactly when it is, and stops those on a network volume', () => {
    const [withVolume, outcome] = createVolume(world([], { balanceMicro: 980_000 }), 0, {
      name: 'models',
      size: 10,
      dataCenter: 'EU-RO-1',
      type: 'STANDARD',
    })
    if (outcome.kind !== 'done') throw new Error('no volume')
    const mounts = { network: [{ volumeId: outcome.volume.id, path: '/workspace' }] }
    const [first, plain] = rent(withVolume, 0)
    const [second, mounted] = rent(first, 0, { mounts })
    const at = due(second, 0) ?? 0
    expect(at).toBeGreaterThan(0.99 * hour)
    expect(at).toBeLessThanOrEqual(hour)
    expect(advance(second, at - 10).pods).toEqual(second.pods)
    const after = advance(second, at + 1)
    expect(after.pods[plain.id]).toBeUndefined()
    expect(after.pods[mounted.id]?.status).toBe('EXITED')
    expect(due(after, at + 1)).toBeNull()
  })

  it('is paid in again only when less than a fifth is left', () => {
    const [cloud] = rent(world([], { balanceMicro: 1_000_000 }), 0)
    expect(topUp(cloud, hour)).toBe(cloud)
    expect(balance(topUp(cloud, 1.9 * hour), 1.9 * hour)).toBe(1_000_000)
  })

  it('scales all prices together', () => {
    const [, pod] = rent(world([], { priceScale: 10 }), 0)
    expect(pod.microPerHour).toBe(4_900_000)
  })
})

describe('placing', () => {
  const noCapacity = [
    400,
    'There are no longer any instances available with the requested specifications. Please refresh and try again.',
  ]
  it('has no machine for a count left out or too high, a cloud or a data center without the type', () => {
    expect(refusal(world(), { gpu: { id: 'NVIDIA A40' } })).toEqual(noCapacity)
    expect(refusal(world(), { gpu: { id: 'NVIDIA A40', count: 9 } })).toEqual(noCapacity)
    expect(refusal(world(), { cloud: 'COMMUNITY' })).toEqual(noCapacity)
    expect(refusal(world(), { dataCenterIds: ['EU-XX-9'] })).toEqual(noCapacity)
    expect(refusal(world(), { gpu: { id: 'NVIDIA A40', count: 1, minCudaVersion: '14.0' } })).toEqual(noCapacity)
  })

  it('knows the sentinels only when asked to', () => {
    const gpu = { id: 'sold-out', count: 1 }
    expect(refusal(world(), { gpu })).toEqual([400, 'unknown GPU type "sold-out"'])
    expect(refusal(world(['sentinels']), { gpu })).toEqual(noCapacity)
  })

  it('has a few machines of each type, and one where sshd never starts only when asked to', () => {
    let cloud = world()
    const machines = new Set<string>()
    for (let nth = 0; nth < 20; nth++) {
      const [next, { machineId, fate }] = rent(cloud, 0, { name: `n${nth}` })
      cloud = next
      machines.add(machineId)
      expect([machineId, fate]).toEqual([expect.stringMatching(/^[a-z0-9]{12}$/), 'well'])
    }
    expect(machines.size).toBe(3)
    const [, bad] = rent(world(['bad-host=1']), 0)
    expect(bad.fate).toBe('no-sshd')
    expect(machines.has(bad.machineId)).toBe(false)
  })

  it('puts a pod where its network volume is, in Secure Cloud only', () => {
    const volume = { name: 'v', size: 10, dataCenter: 'US-KS-2', type: 'STANDARD' as const }
    const [cloud, outcome] = createVolume(world(), 0, volume)
    const id = outcome.kind === 'done' ? outcome.volume.id : ''
    const mounts = { network: [{ volumeId: id, path: '/workspace' }] }
    expect(rent(cloud, 0, { mounts })[1].dataCenterId).toBe('US-KS-2')
    expect(refusal(cloud, { mounts, cloud: 'COMMUNITY', gpu: { id: 'NVIDIA L40', count: 1 } })).toEqual([
      400,
      'network volumes are only available in Secure Cloud',
    ])
    expect(refusal(cloud, { mounts: { network: [{ volumeId: 'none', path: '/w' }] } })).toEqual([
      404,
      'network volume not found',
    ])
  })

  it('grows a volume, never shrinks it, and deletes it only when no pod uses it', () => {
    const [cloud, outcome] = createVolume(world(), 0, { name: 'v', size: 10, dataCenter: 'US-KS-2', type: 'STANDARD' })
    const id = outcome.kind === 'done' ? outcome.volume.id : ''
    const [grown] = changeVolume(cloud, 1, id, { size: 20 })
    expect(grown.volumes[id]?.size).toBe(20)
    expect(changeVolume(grown, 2, id, { size: 15 })[1]).toMatchObject({ status: 400 })
    const [used, pod] = rent(grown, 3, { mounts: { network: [{ volumeId: id, path: '/w' }] } })
    expect(deleteVolume(used, 4, id)[1]).toMatchObject({ status: 400 })
    const [unused] = act(used, 5, pod.id, 'terminate')
    expect(deleteVolume(unused, 6, id)[0].volumes).toEqual({})
  })
})

describe('failures', () => {
  it('gives the same world for the same seed', () => {
    const play = () => {
      let cloud = world(['capacity=0.3', 'create-500', 'list-lag', 'preempt'])
      const seen: unknown[] = []
      for (let nowMs = 0; nowMs < 60_000; nowMs += 1000) {
        const [next, creation] = create(advance(cloud, nowMs), nowMs, order())
        const [listed, listing] = list(next, nowMs)
        cloud = listed
        seen.push(creation, listing)
      }
      return [cloud, seen]
    }
    expect(play()).toEqual(play())
  })

  it('can lose the answer of a create and bill the pod all the same', () => {
    for (const fault of ['create-500=1', 'create-timeout=1']) {
      const [cloud, creation] = create(world([fault]), 0, order())
      if (creation.kind !== 'lost' || !creation.made) throw new Error('nothing was made')
      expect(read(cloud, 0, creation.made.id)?.name).toBe('one')
      expect(billOf(cloud, creation.made.id, hour).total).toBe(490_000)
    }
    const [cloud, creation] = create(world(['create-500-none=1']), 0, order())
    expect(creation).toEqual({ kind: 'lost', how: 'error', made: null })
    expect(cloud.pods).toEqual({})
  })

  it('lets a listing lag behind both ways, but never longer than its limit', () => {
    let cloud = world(['list-lag=1'], { lagMaxMs: 500 })
    const names = (nowMs: number) => {
      const listing = list(cloud, nowMs)[1]
      return listing.kind === 'pods' ? listing.pods.map(pod => pod.id) : []
    }
    const [rented, pod] = rent(cloud, 0)
    cloud = rented
    expect(names(0)).toEqual([])
    expect(names(500)).toEqual([pod.id])
    cloud = act(cloud, 1000, pod.id, 'terminate')[0]
    expect(names(1000)).toEqual([pod.id])
    expect(read(cloud, 1000, pod.id)).toBeNull()
    expect(names(1500)).toEqual([])
    expect(advance(cloud, 1500).pods).toEqual({})
  })

  it('hides a fresh pod from reads, lies about an end, shows an empty or a malformed list', () => {
    const [hidden, pod] = rent(world(['get-404-fresh=1']), 0)
    expect(read(hidden, 0, pod.id)).toBeNull()
    expect(read(hidden, 800, pod.id)?.id).toBe(pod.id)
    const [lying, kept] = rent(world(['terminate-lies=1']), 0)
    const [after, outcome] = act(lying, 1, kept.id, 'terminate')
    expect(outcome).toEqual({ kind: 'done', pod: null })
    expect(read(after, 2, kept.id)?.status).toBe('RUNNING')
    expect(list(rent(world(['list-empty=1']), 0)[0], 1)[1]).toEqual({ kind: 'pods', pods: [] })
    expect(list(world(['list-malformed=1']), 1)[1]).toEqual({ kind: 'malformed' })
  })

  it('ends a pod from the host side at a moment it knows beforehand, and stops its meter there', () => {
    const [cloud, pod] = rent(world(['preempt=1']), 0)
    const at = due(cloud, 0) ?? 0
    expect(at).toBeGreaterThanOrEqual(3000)
    expect(at).toBeLessThanOrEqual(33_000)
    const after = advance(cloud, at + 5000)
    expect(after.pods[pod.id]?.status).toBe('EXITED')
    expect(billOf(after, pod.id, at + hour)).toEqual(billOf(cloud, pod.id, at))
  })

  it('gives the sentinels their fates', () => {
    const stageLater = (id: string) => {
      const [cloud, pod] = rent(world(['sentinels']), 0, { gpu: { id, count: 1 } })
      const later = advance(cloud, hour).pods[pod.id]
      return later && [later.status, stageOf(later, hour, cloud.settings)]
    }
    expect(stageLater('never-boots')).toEqual(['RUNNING', 'placing'])
    expect(stageLater('no-sshd')).toEqual(['RUNNING', 'addressed'])
    expect(stageLater('dies-early')).toEqual(['EXITED', 'placing'])
  })

  it('fails the first prompts of a failing name, over the whole cloud', () => {
    let cloud = world()
    const fate = (tag: string) => {
      const [next, outcome] = promptFate(cloud, tag)
      cloud = next
      return outcome
    }
    const tags = ['run1-oom-2-1/frame', 'run1-oom-2-2/frame', 'run1-oom-2-3/frame', '"job":"hang-1"', 'plain']
    expect(tags.map(fate)).toEqual(['oom', 'oom', null, 'hang', null])
  })

  it('reads failing names as whole words only', () => {
    expect(failureAsked('room-2')).toBeNull()
    expect(failureAsked('x/crash-12.png')).toEqual({ name: 'crash-12', how: 'crash', times: 12 })
  })

  it('refuses an unknown switch or chance', () => {
    expect(() => parseFaults(['create-5000'])).toThrow(/unknown sandbox fault "create-5000"/)
    expect(() => parseFaults(['429=2'])).toThrow(/from 0 to 1/)
    expect(parseFaults(['429=0.5', 'capacity'])).toEqual({ 429: 0.5, capacity: 0.4 })
  })

  it('rolls evenly, and not at all for a fault that is off', () => {
    const dice = diceFrom(1, {})
    const rolls = Array.from({ length: 10_000 }, () => dice.roll())
    expect(rolls.reduce((sum, roll) => sum + roll, 0) / rolls.length).toBeCloseTo(0.5, 1)
    const before = dice.state()
    expect(dice.happens('capacity')).toBe(false)
    expect(dice.state()).toBe(before)
  })
})
