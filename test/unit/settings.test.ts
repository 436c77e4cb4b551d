// Settings from all their sources: what wins, where each value comes from, and what a user is told about a wrong one.
import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { format, inspect, promisify } from 'node:util'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { Fault, type FaultData } from '../../src/domain/fault.ts'
import { explain, homeDir, loadSettings, mask, settingsSchema } from '../../src/edge/config.ts'
import { ENVIRONMENT, type Settings } from '../../src/wire/files-settings.ts'
import { isSecret, secretOf } from '../../src/wire/secret.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const known = [...Object.keys(ENVIRONMENT), 'AUTOPOD_HOME']
const before = new Map(known.map(name => [name, process.env[name]]))
let home: string
let cwd: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'settings-home-'))
  cwd = mkdtempSync(join(tmpdir(), 'settings-cwd-'))
  for (const name of known) delete process.env[name]
})
afterEach(() => {
  for (const folder of [home, cwd]) rmSync(folder, { recursive: true })
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
})
const text = (contents: unknown) => (typeof contents === 'string' ? contents : JSON.stringify(contents))
const inHome = (contents: unknown) => writeFileSync(join(home, 'config.json'), text(contents), { mode: 0o600 })
const inFolder = (contents: unknown) => writeFileSync(join(cwd, 'autopod.json'), text(contents), { mode: 0o600 })
const load = (flags?: Settings) => loadSettings({ home, cwd, ...(flags && { flags }) })
function fault(flags?: Settings): FaultData {
  try {
    load(flags)
  } catch (error) {
    if (error instanceof Fault) return error.data
    throw error
  }
  throw new Error('no fault')
}

test('the home is the folder of AUTOPOD_HOME, wherever ~ is; a file is none', () => {
  expect(homeDir()).toBe(join(homedir(), '.autopod'))
  process.env.AUTOPOD_HOME = '~/x'
  expect(homeDir()).toBe(join(homedir(), 'x'))
  process.env.AUTOPOD_HOME = join(home, '~x')
  expect(homeDir()).toBe(join(home, '~x'))
  writeFileSync(join(home, 'file'), '')
  process.env.AUTOPOD_HOME = join(home, 'file')
  expect(() => homeDir()).toThrow(`AUTOPOD_HOME: ${join(home, 'file')} is no folder`)
})

describe('settings', () => {
  it('of a folder do not send a key from elsewhere to an address of their own', () => {
    const address = { api_url: 'https://elsewhere.example/v2' }
    inFolder({ runpod: address })
    expect(load().settings.runpod).toMatchObject(address)
    process.env.RUNPOD_API_KEY = 'rpa_of_the_environment'
    expect(fault()).toMatchObject({
      code: 'settings_invalid',
      message: expect.stringMatching(/autopod\.json.*RUNPOD_API_KEY/),
    })
    process.env.RUNPOD_API_URL = address.api_url
    expect(load().settings.runpod).toMatchObject(address)
    delete process.env.RUNPOD_API_URL
    // A cloud of one's own machine, and what only looks like one.
    for (const api_url of ['http://127.0.0.1:4010/v2', 'http://localhost:4010/v2', 'http://[::1]:4010/v2']) {
      inFolder({ runpod: { api_url } })
      expect(load().settings.runpod?.api_url).toBe(api_url)
    }
    inFolder({ runpod: { api_url: 'http://127.0.0.1.elsewhere.example/v2' } })
    expect(fault().code).toBe('settings_invalid')
    delete process.env.RUNPOD_API_KEY
    inFolder({ runpod: { ...address, api_key: 'rpa_of_the_folder' } })
    expect(load().settings.runpod).toMatchObject(address)
    inFolder({ runpod: { graphql_url: 'https://elsewhere.example/graphql' } })
    inHome({ runpod: { api_key: 'rpa_of_the_home' } })
    expect(fault().message).toContain('runpod.graphql_url would get the key of')
  })

  it('are complete without any file: the public addresses, an image, a disk', () => {
    const { settings, sources } = load()
    expect(settings.runpod).toEqual({
      api_url: 'https://api.runpod.io/v2',
      graphql_url: 'https://api.runpod.io/graphql',
    })
    expect(settings.provider).toBeUndefined()
    expect(settings.pod).toMatchObject({ gpu_count: 1, disk_gb: 50, volume_path: '/workspace' })
    expect(new Set(sources.values())).toEqual(new Set(['default']))
    expect([...sources.keys()]).not.toContain('$schema')
  })

  it('come from the later of default, home, folder, environment and flag, value by value', () => {
    inHome({ provider: 'sandbox', pod: { disk_gb: 60, image: 'home', gpu_count: 2, gpu_types: ['A40', 'L4'] } })
    inFolder({ pod: { image: 'folder', gpu_count: 3, gpu_types: ['4090'] } })
    process.env.RUNPOD_WORKER_IMAGE = 'environment'
    process.env.RUNPOD_GPU_TYPE = ''
    const { settings, sources } = load({ provider: 'runpod', pod: { gpu_count: 4 } })
    expect(settings.provider).toBe('runpod')
    expect(settings.pod).toEqual({
      disk_gb: 60,
      image: 'environment',
      gpu_count: 4,
      // A list is one value: it is replaced, never joined.
      gpu_types: ['4090'],
      volume_path: '/workspace',
      boot_minutes: 15,
      lease_minutes: 10,
      grace_minutes: 1,
      deadline_hours: 24,
      start_command: '/start.sh',
    })
    const [fromHome, fromFolder] = [join(home, 'config.json'), join(cwd, 'autopod.json')]
    expect(Object.fromEntries([...sources].filter(([key]) => /^(pod|provider)/.test(key)))).toEqual({
      provider: 'flag',
      'pod.disk_gb': fromHome,
      'pod.image': 'RUNPOD_WORKER_IMAGE',
      'pod.gpu_count': 'flag',
      'pod.gpu_types': fromFolder,
      'pod.volume_path': 'default',
      'pod.boot_minutes': 'default',
      'pod.lease_minutes': 'default',
      'pod.grace_minutes': 'default',
      'pod.deadline_hours': 'default',
      'pod.start_command': 'default',
    })
  })

  const given: [name: string, value: string, path: string, meant: unknown][] = [
    ['RUNPOD_API_KEY', 'rpa_0123456789ABCDEF', 'runpod.api_key', 'rpa_0123456789ABCDEF'],
    ['RUNPOD_API_URL', 'http://127.0.0.1:1/v2', 'runpod.api_url', 'http://127.0.0.1:1/v2'],
    ['RUNPOD_GRAPHQL_URL', 'http://127.0.0.1:1/graphql', 'runpod.graphql_url', 'http://127.0.0.1:1/graphql'],
    ['RUNPOD_GPU_TYPE', 'A40, RTX 4090,', 'pod.gpu_types', ['A40', 'RTX 4090']],
    ['RUNPOD_WORKER_IMAGE', 'me/comfy:1', 'pod.image', 'me/comfy:1'],
    ['RUNPOD_STORAGE_NAME', 'models', 'pod.volume_name', 'models'],
    ['RUNPOD_VOLUME_MOUNT_PATH', '/data', 'pod.volume_path', '/data'],
    ['RUNPOD_DISK_SIZE_GB', '70', 'pod.disk_gb', 70],
    ['RUNPOD_CONTAINER_DISK_GB', '80', 'pod.disk_gb', 80],
    ['RUNPOD_SSH_PRIVATE_KEY_PATH', '~/.ssh/id', 'ssh.private_key_path', '~/.ssh/id'],
    ['RUNPOD_SSH_PUBLIC_KEY_PATH', '~/.ssh/id.pub', 'ssh.public_key_path', '~/.ssh/id.pub'],
    ['VAST_API_KEY', 'vast-0123456789', 'vast.api_key', 'vast-0123456789'],
    ['R2_ACCOUNT_ID', 'acc', 'r2.account_id', 'acc'],
    ['R2_ENDPOINT', 'https://acc.example.com', 'r2.endpoint', 'https://acc.example.com'],
    ['R2_ACCESS_KEY_ID', 'id-0123456789', 'r2.access_key_id', 'id-0123456789'],
    ['R2_SECRET_ACCESS_KEY', 'secret-0123456789', 'r2.secret_access_key', 'secret-0123456789'],
    ['R2_BUCKET', 'bucket', 'r2.bucket', 'bucket'],
  ]
  it.each(given)('take %s=%s for %s', (name, value, path, meant) => {
    process.env[name] = value
    const { settings, sources } = load()
    const found = path.split('.').reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], settings)
    expect(isSecret(found) ? found.reveal() : found).toEqual(meant)
    expect(sources.get(path)).toBe(name)
  })

  it('know every variable that the page of the command line promises', () => {
    expect(given.map(([name]) => name).sort()).toEqual(Object.keys(ENVIRONMENT).sort())
    process.env.RUNPOD_DISK_SIZE_GB = '70'
    process.env.RUNPOD_CONTAINER_DISK_GB = '80'
    expect(load().settings.pod?.disk_gb).toBe(80)
  })

  it('may begin with a byte order mark and name their schema', () => {
    inHome(`\uFEFF${JSON.stringify({ $schema: './config.schema.json', provider: 'sandbox' })}`)
    expect(load().settings).toMatchObject({ provider: 'sandbox' })
    expect(load().settings).not.toHaveProperty('$schema')
  })
})

describe('a wrong setting', () => {
  it('names the file, the key and the nearest key there is', () => {
    inFolder({ pod: { gpu_typs: ['A40'] }, pods: {} })
    const { kind, code, message, hint } = fault()
    expect([kind, code]).toEqual(['operator', 'settings_invalid'])
    expect(message).toContain(`${join(cwd, 'autopod.json')}: `)
    expect(message).toContain('unknown key "pod.gpu_typs" (did you mean "gpu_types"?)')
    expect(message).toContain('unknown key "pods" (did you mean "pod"?)')
    expect(hint).toContain('autopod schema config')
  })

  it.each([
    [{ pod: { disk_gb: '50' } }, 'pod.disk_gb: must be a number, not text "50"'],
    [{ pod: { gpu_types: 'A40' } }, 'pod.gpu_types: must be a list, not text'],
    [{ pod: { gpu_types: ['A40', 3] } }, 'pod.gpu_types.1: '],
    [{ pod: { cloud: 'public' } }, 'pod.cloud: '],
    [{ pod: { volume_path: 'workspace' } }, 'pod.volume_path: '],
    [{ run: { max_pods: 0 } }, 'run.max_pods: '],
    [{ run: { max_cost_usd: -1 } }, 'run.max_cost_usd: '],
    [{ run: { first_port: 80 } }, 'run.first_port: '],
    [{ provider: null }, 'provider: '],
    [{ runpod: { api_url: 'api.runpod.io' } }, 'runpod.api_url: '],
    [[], 'the file: must be an object, not a list'],
    [{ run: { max_pods: 0 } }, 'run.max_pods: must be at least 1, not the number 0'],
    [{ run: { max_pods: 1.5 } }, 'run.max_pods: must be a whole number, not the number 1.5'],
    [{ run: { max_cost_usd: 0 } }, 'run.max_cost_usd: must be more than 0, not the number 0'],
    [{ pod: { gpu_types: [''] } }, 'pod.gpu_types.0: must not be empty'],
    [{ pod: { gpu_types: Array(51).fill('A40') } }, 'pod.gpu_types: must have 50 entries at most'],
    [{ pod: { cloud: 'any' } }, 'pod.cloud: must be secure or community, not "any"'],
    [{ notify: { webhook: 'hooks' } }, 'notify.webhook: must be an address such as https://…'],
  ])('of the wrong type is refused by its key: %j', (contents, said) => {
    inHome(contents)
    expect(fault().message).toContain(`${join(home, 'config.json')}: ${said}`)
  })

  it('of the environment is refused by the name of its variable', () => {
    process.env.RUNPOD_DISK_SIZE_GB = 'fifty'
    expect(fault()).toMatchObject({
      code: 'settings_invalid',
      message: 'RUNPOD_DISK_SIZE_GB: pod.disk_gb: must be a number, not text "fifty"',
    })
  })

  it('is not half obeyed: a good file beside a bad one changes nothing', () => {
    inHome({ provider: 'sandbox' })
    inFolder({ provider: 'sandboks' })
    expect(fault().message).toContain(join(cwd, 'autopod.json'))
  })

  it.each(['', '{"pod": ', '{"pod": {} "run": {}}', '{"provider": sandbox}', '{"provider": "sandbox",}'])(
    'in a file that is no JSON is refused with the file and a remedy: %s',
    contents => {
      inHome(contents)
      const { message, hint } = fault()
      expect(message.startsWith(`${join(home, 'config.json')}: `)).toBe(true)
      expect(message).toContain('JSON')
      expect(hint).toContain('autopod config init')
    },
  )

  it('shows no key in what is said about it', () => {
    const key = 'rpa_SECRETSECRETSECRET'
    for (const contents of [
      `{"runpod": {"api_key": ${key}}}`,
      `{"runpod": {"api_key": "${key}" "x": 1}}`,
      `{"runpod": {"api_key": "${key}`,
      { runpod: { api_key: `${key} with spaces` } },
      { runpod: { api_key: [key] } },
    ]) {
      inHome(contents)
      expect(JSON.stringify(fault())).not.toContain('SECRET')
    }
  })
})

describe('config show', () => {
  it('masks every secret down to the end that tells two keys apart', () => {
    inHome({
      runpod: { api_key: 'rpa_0123456789ABCDEF' },
      vast: { api_key: 'short' },
      r2: { access_key_id: 'id-0123456789wxyz', secret_access_key: 'secret-0123456789', bucket: 'pictures' },
    })
    const rows = Object.fromEntries(explain(load()).map(row => [row.key, row.value]))
    expect(rows).toMatchObject({
      'runpod.api_key': '…CDEF',
      'vast.api_key': '…',
      'r2.access_key_id': '…wxyz',
      'r2.secret_access_key': '…6789',
      'r2.bucket': 'pictures',
      'pod.disk_gb': 50,
    })
    expect(mask(secretOf('elevenchars'))).toBe('…')
    expect(mask(secretOf('twelve-chars'))).toBe('…hars')
  })

  it('prints the settings of this folder with their sources, for people and as JSON, and no secret', async () => {
    inHome({ runpod: { api_key: 'rpa_0123456789ABCDEF' } })
    inFolder({ pod: { gpu_types: ['A40', 'RTX 4090'] } })
    const env = { PATH: process.env.PATH, AUTOPOD_HOME: home, R2_SECRET_ACCESS_KEY: 'secret-0123456789' }
    const show = async (...args: string[]) => {
      const argv = [join(root, 'src/main.ts'), 'config', 'show', ...args]
      return (await promisify(execFile)(process.execPath, argv, { cwd, env })).stdout
    }
    const [plain, json] = await Promise.all([show(), show('--json')])
    expect(plain).toMatch(/^SETTING +VALUE +FROM\n/)
    expect(plain).toContain('["A40","RTX 4090"]')
    expect(plain).toMatch(/r2\.secret_access_key +…6789 +R2_SECRET_ACCESS_KEY/)
    const rows = JSON.parse(json) as { key: string; value: unknown; source: string }[]
    expect(rows).toContainEqual({ key: 'runpod.api_key', value: '…CDEF', source: join(home, 'config.json') })
    expect(rows.map(row => row.key)).toEqual(rows.map(row => row.key).sort())
    for (const said of [plain, json]) expect(said).not.toMatch(/0123456789/)
  })
})

describe('a file with keys', () => {
  it('is refused while others may read it, with the command that mends it', () => {
    inHome({ runpod: { api_key: 'rpa_0123456789ABCDEF' }, notify: { webhook: 'https://hooks.example/T0/secret' } })
    const path = join(home, 'config.json')
    for (const mode of [0o640, 0o604, 0o620, 0o666]) {
      chmodSync(path, mode)
      expect(fault()).toMatchObject({ kind: 'operator', code: 'settings_invalid', hint: `chmod 600 ${path}` })
      expect(fault().message).toBe(
        `${path}: holds runpod.api_key, notify.webhook and is open to others (mode 0${mode.toString(8)})`,
      )
    }
    chmodSync(path, 0o600)
    expect(load().settings.runpod?.api_key?.reveal()).toBe('rpa_0123456789ABCDEF')
  })

  it('may be open to all when it holds no key', () => {
    inFolder({ pod: { disk_gb: 60 } })
    chmodSync(join(cwd, 'autopod.json'), 0o664)
    expect(load().settings.pod?.disk_gb).toBe(60)
  })
})

describe('a secret', () => {
  it('shows itself to nobody who did not ask for it by name', () => {
    const secret = secretOf('rpa_0123456789ABCDEF')
    const slips = [
      `${secret}`,
      String(secret),
      JSON.stringify({ secret }),
      inspect({ a: [secret] }),
      format('%s %o %j', secret, secret, secret),
    ]
    for (const said of [...slips, JSON.stringify({ ...secret }), Object.values(secret).join()]) {
      expect(said).not.toContain('0123456789')
    }
    for (const said of slips) expect(said).toContain('•••')
    expect(secret.reveal()).toBe('rpa_0123456789ABCDEF')
  })
})

describe('config.schema.json', () => {
  it('is what the schema says; else run npm run schemas', () => {
    const shipped = JSON.parse(readFileSync(join(root, 'config/config.schema.json'), 'utf8'))
    expect(shipped).toEqual(JSON.parse(JSON.stringify(settingsSchema())))
  })

  it('accepts the shipped settings and refuses what the program refuses', () => {
    const ajv = new Ajv2020({ strict: false, logger: false })
    addFormats.default(ajv)
    const check = ajv.compile(settingsSchema())
    expect(check(JSON.parse(readFileSync(join(root, 'config/default.json'), 'utf8')))).toBe(true)
    expect(check({ pod: { gpu_typs: [] } })).toBe(false)
    expect(check({ run: { max_pods: 0 } })).toBe(false)
  })
})
