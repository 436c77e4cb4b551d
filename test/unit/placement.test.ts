// Which offer is ordered, and which pod fits.
import { describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import { chooseOffer, fits, needOf, sameGpu } from '../../src/domain/placement.ts'
import type { Pod } from '../../src/domain/pod.ts'
import { offerOf, policyOf, type Story, specOf, story } from './fleet-story.ts'

describe('a name of a GPU', () => {
  const card = { gpuType: 'NVIDIA GeForce RTX 4090', gpuName: 'RTX 4090' }
  test.each(['4090', 'rtx4090', 'RTX 4090', 'NVIDIA GeForce RTX 4090', 'rtx_4090', 'RTX-4090'])(
    '%s is that card',
    name => {
      expect(sameGpu(name, card)).toBe(true)
    },
  )
  test.each(['409', '5090', 'A4090', '', 'NVIDIA'])('“%s” is not', name => expect(sameGpu(name, card)).toBe(false))
})

test("the job's own list of GPUs goes before the run's", () => {
  const policy = policyOf({ gpuTypes: ['A40'], gpuCount: 2 })
  expect(needOf(specOf('a', { gpuTypes: ['H100'] }), policy)).toMatchObject({ gpuTypes: ['H100'], gpuCount: 2 })
  expect(needOf(specOf('a'), policy).gpuTypes).toEqual(['A40'])
})

test('a pod fits when its cards are of a wanted type, enough and large enough', () => {
  const pod = story().run().pod('p', 'ready', { gpuCount: 2, vramGb: 48 }).fleet.pods.get('p') as Pod
  const need = needOf(specOf('a'), policyOf())
  expect(fits(pod, need)).toBe(true)
  expect(fits(pod, { ...need, gpuTypes: ['H100', 'a40'] })).toBe(true)
  expect(fits(pod, { ...need, gpuTypes: ['H100'] })).toBe(false)
  expect(fits(pod, { ...need, gpuCount: 3 })).toBe(false)
  expect(fits(pod, { ...need, vramGbMin: 49 })).toBe(false)
  expect(fits(pod, { ...need, provider: 'other' })).toBe(false)
})

describe('the offer', () => {
  const offers = [offerOf({ region: 'EU' }), offerOf({ region: 'US', perHour: 500_000 })]

  test('is the first that has stock and keeps the price', () => {
    const { fleet, now } = story()
    expect(chooseOffer(offers, fleet, 1e9, now, DEFAULT_LIMITS)?.region).toBe('EU')
    expect(
      chooseOffer([{ ...offers[0], stock: 'none' } as never, offers[1] as never], fleet, 1e9, now, DEFAULT_LIMITS)
        ?.region,
    ).toBe('US')
    expect(chooseOffer(offers, fleet, 100, now, DEFAULT_LIMITS)).toBe(null)
  })

  test('is another one for a minute after a refusal, and the first again afterwards', () => {
    const told = story().run().pod('p', 'requested', { region: 'EU' })
    told.tell({ type: 'pod.refused', podId: 'p', fault: { kind: 'capacity', code: 'sold_out', message: 'x' } })
    expect(chooseOffer(offers, told.fleet, 1e9, told.now, DEFAULT_LIMITS)?.region).toBe('US')
    told.wait(DEFAULT_LIMITS.capacityPauseMs)
    expect(chooseOffer(offers, told.fleet, 1e9, told.now, DEFAULT_LIMITS)?.region).toBe('EU')
  })

  describe('of a place that refuses again and again', () => {
    const { capacityPauseMs: pauseMs, capacityPauseMaxMs: maxMs } = DEFAULT_LIMITS
    const sold = { kind: 'capacity', code: 'sold_out', message: 'x' } as const
    const here = { region: 'EU' }
    const isAsked = ({ fleet, now }: Story) => chooseOffer([offerOf(here)], fleet, 1e9, now, DEFAULT_LIMITS) !== null
    const refuse = (told: Story, ...pods: string[]) => {
      for (const podId of pods) told.pod(podId, 'requested', here)
      for (const podId of pods) told.tell({ type: 'pod.refused', podId, fault: sold })
    }
    /** How long it is left alone from now on. */
    const pauseOf = (told: Story) => {
      const from = told.now
      while (!isAsked(told)) told.wait(1000)
      return told.now - from
    }

    test('is left alone for twice as long each time, up to a limit, and as before once it gave a pod', () => {
      const told = story().run({ podsMax: 20 })
      const pauses: number[] = []
      for (const podId of ['a', 'b', 'c', 'd', 'e']) {
        refuse(told, podId)
        pauses.push(pauseOf(told))
      }
      expect(pauses).toEqual([pauseMs, pauseMs * 2, pauseMs * 4, maxMs, maxMs])
      told.pod('f', 'booting', here)
      refuse(told, 'g')
      expect(pauseOf(told)).toBe(pauseMs)
    })

    test('counts orders of one moment once, and forgets what was long ago', () => {
      const told = story().run({ podsMax: 20 })
      refuse(told, 'a', 'b', 'c')
      expect(pauseOf(told)).toBe(pauseMs)
      told.wait(maxMs * 3)
      refuse(told, 'd')
      expect(pauseOf(told)).toBe(pauseMs)
    })
  })
})
