// How long a balance lasts, and which of its changes are facts.
import { expect, test } from 'vitest'
import { balanceSteps, runwayMs, standstill } from '../../src/domain/account.ts'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import { lasting } from '../../src/tui/panels/header.ts'
import { type Story, story } from './fleet-story.ts'

/** A pod at a dollar an hour: a balance of so many dollars lasts for as many hours. */
const atWork = () => story().run().jobs('a').pod('p', 'ready', { perHour: 1_000_000 })
const steps = (told: Story, usd: number) =>
  balanceSteps(told.fleet, 'cloud', Math.round(usd * 1e6), told.now, DEFAULT_LIMITS)
const hear = (told: Story, usd: number) => told.tell(...steps(told, usd))

test('each level is told once, on the way down', () => {
  const told = atWork()
  expect(steps(told, 1)).toEqual([])
  expect(steps(told, 0.9)).toEqual([
    { type: 'balance.fallen', provider: 'cloud', level: 'low', micro: 900_000, runwayMs: 3_240_000 },
  ])
  hear(told, 0.9)
  expect(steps(told, 0.5)).toEqual([])
  expect(steps(told, 0.2)).toMatchObject([{ level: 'short' }])
  expect(steps(hear(told, 0.2), 0.05)).toMatchObject([{ level: 'out' }])
})

test('from a quarter of an hour on nothing new starts, and a person is asked for credit', () => {
  const told = hear(atWork(), 0.9)
  expect(standstill(told.fleet, 'cloud')).toBeNull()
  expect(standstill(hear(told, 0.2).fleet, 'cloud')).toMatchObject({
    kind: 'operator',
    code: 'balance_low',
    message: expect.stringContaining('$0.20'),
  })
})

test('fewer pods do not lift a level, credit and a new launch do', () => {
  const told = hear(atWork(), 0.2)
  told.tell({ type: 'pod.release_requested', podId: 'p', cause: 'x' })
  told.tell({ type: 'pod.gone', podId: 'p', billedUntil: told.now })
  expect(steps(told, 0.19)).toEqual([])
  expect(steps(told, 20)).toEqual([{ type: 'balance.restored', provider: 'cloud', micro: 20_000_000 }])
  const { provider } = told.fleet.pods.get('p')!
  told.tell({ type: 'operator.cleared', provider })
  expect(standstill(told.fleet, 'cloud')).toBeNull()
})

test('a runway is said in minutes while these count', () => {
  expect([runwayMs(500_000, 1_000_000), runwayMs(-5, 1_000_000), runwayMs(5, 0)]).toEqual([1_800_000, 0, null])
  expect([lasting(42.9 * 60_000), lasting(119 * 60_000), lasting(31 * 3_600_000), lasting(1e13)]).toEqual([
    '42 min',
    '119 min',
    '31 h',
    '999+ h',
  ])
})
