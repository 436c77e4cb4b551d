// No key is told: a whole run, its notices and its troubles, then every byte that was written or printed is searched.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Ended, inWorld, pictureJob } from './world.ts'

const WRONG_KEY = 'rpa_THISKEYISNOTONEOFTHESANDBOX0123456789'
const HOOK_TOKEN = 'hook-token-5f1c9a'

/** Name of the place → its text; files as bytes, so that a database has no corner to hide in. */
type Places = Map<string, string>

function filesBelow(folder: string): Places {
  const found: Places = new Map()
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) found.set(path, readFileSync(path, 'latin1'))
  }
  return found
}

function leaks(places: Places, secrets: Map<string, string | RegExp>): string[] {
  return [...places].flatMap(([place, text]) =>
    [...secrets].flatMap(([name, secret]) =>
      (typeof secret === 'string' ? text.includes(secret) : secret.test(text)) ? [`${name} in ${place}`] : [],
    ),
  )
}

test('no key, signature or webhook is in any file, output, log or journal', () => {
  const heard: string[] = []
  const hook = createServer((request, response) => {
    request.on('data', chunk => heard.push(String(chunk))).on('end', () => response.end())
  })
  return inWorld({ firstPort: 13_300 }, async world => {
    await new Promise<void>(resolve => hook.listen(0, '127.0.0.1', resolve))
    const webhook = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/${HOOK_TOKEN}`
    const { api_key, s3_secret_access_key, runpod_url, graphql_url } = world.cloud.access
    const settings = join(world.env.AUTOPOD_HOME as string, 'config.json')
    writeFileSync(settings, JSON.stringify({ notify: { webhook, shape: 'json' } }), { mode: 0o600 })
    world.job('good', pictureJob('lighthouse.jpg'))
    world.job('error-9', pictureJob('fruit-bowl.jpg'))
    const account = (key: string) => ({
      provider: 'runpod',
      env: { RUNPOD_API_KEY: key, RUNPOD_API_URL: runpod_url, RUNPOD_GRAPHQL_URL: graphql_url },
    })
    const ended: Ended[] = [await world.start(['run', 'jobs', '--yes', '--events']).ended]
    expect(ended[0]?.code).toBe(1)
    ended.push(
      ...(await Promise.all([
        world.run('logs', 'good'),
        world.run('doctor'),
        world.start(['config', 'show', '--json'], account(api_key)).ended,
        world.start(['doctor', '--json'], account(api_key)).ended,
        world.start(['run', 'jobs/error-9.json', '--yes', '--json'], account(WRONG_KEY)).ended,
      ])),
    )
    hook.close()
    expect(ended.map(({ code }) => code)).toEqual([1, 0, 0, 0, 0, 3])
    expect(heard.join()).toContain('error-9')

    // Each key's own file, for its owner alone.
    const own = [settings, join(world.home, 'id_ed25519')].concat(
      ['server.json', 'state.json'].map(name => join(world.home, 'cloud', name)),
    )
    for (const path of own) expect((statSync(path).mode & 0o777).toString(8)).toBe('600')
    const places = filesBelow(world.folder)
    const keyLine = places.get(own[1] as string)?.split('\n')[2] as string
    const secrets = new Map<string, string | RegExp>([
      ['the API key', api_key],
      ['the wrong API key', WRONG_KEY],
      ['the secret of the bucket', s3_secret_access_key],
      ['a signature', /X-Amz-Signature(=|%3D)[0-9a-f]{16}/i],
      ['the SSH key', keyLine],
      ['the webhook', HOOK_TOKEN],
    ])
    // What the search finds where it may be: both keys of the cloud in both of its files, and what it would find, were it elsewhere.
    expect(leaks(new Map(own.map(path => [path, places.get(path) as string])), secrets)).toHaveLength(6)
    for (const [name, secret] of secrets) {
      const planted = typeof secret === 'string' ? secret : `X-Amz-Signature=${'0a'.repeat(32)}`
      expect(leaks(new Map([['planted', `x${planted}y`]]), secrets)).toEqual([`${name} in planted`])
    }
    for (const path of own) places.delete(path)
    for (const [index, { stdout, stderr }] of ended.entries()) places.set(`output ${index}`, stdout + stderr)
    places.set('notices', heard.join())
    expect(places.has(join(world.home, 'journal.db'))).toBe(true)
    expect([...places.keys()].filter(place => place.includes(join('logs', '')))).not.toEqual([])
    expect(leaks(places, secrets)).toEqual([])
  })
})
