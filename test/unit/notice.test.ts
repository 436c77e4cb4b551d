// What is told outside, in which words, and not too often.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import type { Home } from '../../src/cli/home.ts'
import { openNotices } from '../../src/cli/notices.ts'
import type { Event } from '../../src/domain/event.ts'
import { createSieve, type Notice, noticeOf, RELEASE_SLOW_MS, slowReleases } from '../../src/domain/notice.ts'
import { messageOf, shapeOf, toWebhook } from '../../src/edge/notify.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { secretOf } from '../../src/wire/secret.ts'
import { keyOf, RUN, story } from './fleet-story.ts'

const NOTICE: Notice = { key: 'k', level: 'alarm', title: 'ünit does not end', text: 'look @everyone' }

test('a webhook that hangs holds up the end for a moment only, and the trace says so', async () => {
  const server = createServer(() => {}).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const told = story().run().jobs('a')
  const asked = new Promise(resolve => server.once('request', resolve))
  const lines: string[] = []
  let listener: (event: Event) => void = () => {}
  const journal = {
    onEvent(heard: typeof listener) {
      listener = heard
      return () => {}
    },
  }
  const webhook = secretOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`)
  const end = openNotices(
    { settings: { notify: { webhook } } } as Home,
    { fleet: told.fleet, journal } as unknown as Engine,
    { engine: line => void lines.push(line) },
    20,
  )
  told.tell({ type: 'job.failed', jobKey: keyOf('a'), fault: { kind: 'job', code: 'x', message: 'x' } })
  listener(told.events.at(-1) as Event)
  await asked
  await end()
  expect(lines).toEqual(["notice given up after 0.02 s at the program's end: a failed"])
  server.closeAllConnections()
  server.close()
})

test('a webhook that takes no notice, or answers without end, is not told as one that did', async () => {
  const server = createServer((request, response) => {
    if (request.url === '/refusing') response.writeHead(404).end('no such hook')
    else response.writeHead(200).write('and so on')
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const refused = toWebhook(`${url}/refusing`)(NOTICE)
  await expect(refused).rejects.toMatchObject({ data: { kind: 'transient', code: 'notice_refused' } })
  await expect(refused).rejects.not.toThrow('/refusing')
  await toWebhook(`${url}/endless`)(NOTICE)
  server.closeAllConnections()
  server.close()
})

test('a run that is over is told with what became of it and what it cost', () => {
  const told = story().run().jobs('a', 'b')
  told.tell({ type: 'job.failed', jobKey: keyOf('a'), fault: { kind: 'job', code: 'x', message: 'no such node' } })
  expect(noticeOf(told.fleet, told.fleet.recent.at(-1)!)).toMatchObject({
    level: 'warning',
    title: 'a failed',
    text: 'no such node',
  })
  told.tell({ type: 'job.cancelled', jobKey: keyOf('b') }).tell({ type: 'run.closed', runId: RUN, status: 'failed' })
  expect(noticeOf(told.fleet, told.fleet.recent.at(-1)!)).toMatchObject({
    title: 'run failed',
    text: expect.stringMatching(/^0 of 2 jobs in .*\$0\.00$/),
  })
})

test('a pod that does not end is an alarm after two minutes, with its name', () => {
  const told = story().run().jobs('a').pod('p')
  told.tell({ type: 'pod.release_requested', podId: 'p', cause: 'done' })
  expect(slowReleases(told.fleet, told.now + RELEASE_SLOW_MS - 1)).toEqual([])
  const [alarm] = slowReleases(told.fleet, told.now + RELEASE_SLOW_MS)
  expect(alarm).toMatchObject({
    level: 'alarm',
    title: 'p does not end',
    text: expect.stringContaining(told.fleet.pods.get('p')!.name),
  })
})

test('each step of the money is told with what it means, and so is a low balance', () => {
  const told = story().run({ costMax: 10_000_000 })
  const step = (percent: 50 | 80 | 90 | 100, spent: number) => {
    told.tell({ type: 'run.budget_step', runId: RUN, percent, spent })
    return noticeOf(told.fleet, told.fleet.recent.at(-1)!)
  }
  const notices = [step(50, 5_000_000), step(80, 8_100_000), step(90, 9_000_000), step(100, 9_700_000)]
  expect(notices.map(notice => [notice?.level, notice?.title, notice?.text])).toEqual([
    ['info', '50 % of the money is spent', '$5.00 of $10.00'],
    ['info', '80 % of the money is spent', '$8.10 of $10.00'],
    ['warning', '90 % of the money is spent', '$9.00 of $10.00; nothing new starts'],
    ['warning', 'the money is needed to end the pods', '$9.70 of $10.00; what the rest does not pay for is cut'],
  ])
  const passes = createSieve()
  expect(notices.map(notice => passes(notice!, 0))).toEqual([true, true, true, true])
  told.tell({ type: 'balance.fallen', provider: 'cloud', level: 'short', micro: 500_000, runwayMs: 754_000 })
  expect(noticeOf(told.fleet, told.fleet.recent.at(-1)!)).toMatchObject({
    level: 'alarm',
    title: 'the balance at cloud is low',
    text: '$0.50 last 12:34; nothing new starts. Add credit',
  })
})

test('the same is not told twice in a quarter of an hour, and many are held back except alarms', () => {
  const passes = createSieve()
  expect([passes(NOTICE, 0), passes(NOTICE, 60_000), passes(NOTICE, 16 * 60_000)]).toEqual([true, false, true])
  const many = Array.from({ length: 60 }, (_, index) =>
    passes({ ...NOTICE, level: 'info', key: `i${index}` }, 17 * 60_000),
  )
  expect(many.filter(Boolean)).toHaveLength(28)
  expect(passes({ ...NOTICE, key: 'other' }, 17 * 60_000)).toBe(true)
})

test('each service gets the shape it reads', () => {
  expect(shapeOf('https://hooks.slack.com/services/x')).toBe('slack')
  expect(shapeOf('https://discord.com/api/webhooks/x')).toBe('discord')
  expect(shapeOf('https://ntfy.sh/topic')).toBe('ntfy')
  expect(shapeOf('https://example.org/hook')).toBe('json')
  expect(JSON.parse(messageOf(NOTICE, 'slack').body)).toEqual({ text: 'autopod: ünit does not end · look @everyone' })
  expect(JSON.parse(messageOf(NOTICE, 'discord').body)).toMatchObject({ allowed_mentions: { parse: [] } })
  expect(messageOf(NOTICE, 'ntfy')).toEqual({
    body: 'look @everyone',
    headers: { title: 'autopod: ?nit does not end', priority: 'urgent' },
  })
  expect(JSON.parse(messageOf(NOTICE, 'json').body)).toMatchObject({ source: 'autopod', level: 'alarm' })
})

test('a webhook is posted to', async () => {
  const got = Promise.withResolvers<string>()
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', chunk => {
      body += chunk
    })
    request.on('end', () => {
      response.end()
      got.resolve(`${request.method} ${request.url} ${body}`)
    })
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  await toWebhook(`http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`)(NOTICE)
  expect(await got.promise).toMatch(/^POST \/hook \{"source":"autopod","level":"alarm"/)
  server.closeAllConnections()
  server.close()
})
