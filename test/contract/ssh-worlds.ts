// The SSH servers that the contract of Machine and Tunnel is checked against: the real OpenSSH and the sandbox's pod.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Address } from '../../src/domain/pod.ts'
import { loadOrMakeKey } from '../../src/edge/ssh/keys.ts'
import { startPodSsh } from '../../src/sandbox/ssh/server.ts'

export type SshWorld = {
  address: Address
  /** The key that is let in. */
  privateKey: string
  /** A folder "on the pod", which the test may look into. */
  folder: string
  /** Somewhere else on this machine. */
  local: string
  /** Ends all present connections from the server's side. */
  cut(): void
  stop(): Promise<void>
}

export type SshImplementation = {
  name: string
  missing: string | null
  start(): Promise<SshWorld>
  bulkBytes: number
  /** Tells of received data at least each 100 kB, as OpenSSH does (96 kB); ssh2's server is silent for a whole MiB. */
  talkative: boolean
}

const SSHD = '/usr/sbin/sshd'

export const IMPLEMENTATIONS: SshImplementation[] = [
  {
    name: 'OpenSSH',
    missing: existsSync(SSHD) ? null : `${SSHD} is not installed`,
    start: startOpenSsh,
    // 300 MB go through the whole way of a job in e2e/openssh.test.ts.
    bulkBytes: 100 * 1024 * 1024,
    talkative: true,
  },
  // Its server is JavaScript in this very process: the same transfers, only smaller.
  { name: 'the sandbox', missing: null, start: startSandbox, bulkBytes: 32 * 1024 * 1024, talkative: false },
]

async function folders() {
  const base = await mkdtemp(join(tmpdir(), 'ssh-contract-'))
  const folder = join(base, 'pod')
  const local = join(base, 'local')
  await mkdir(folder)
  await mkdir(local)
  return { base, folder, local, key: await loadOrMakeKey(join(base, 'keys', 'user')) }
}

async function startOpenSsh(): Promise<SshWorld> {
  const { base, folder, local, key } = await folders()
  await loadOrMakeKey(join(base, 'keys', 'host'))
  await writeFile(join(base, 'authorized'), `${key.publicKey}\n`)
  // Started as root, sshd wants its empty folder; only the system's start script makes it.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true })
  const { server, port } = await launch(base, folder)
  return {
    address: { host: '127.0.0.1', port, user: userInfo().username },
    privateKey: key.privateKey,
    folder,
    local,
    cut: () => {
      for (const pid of descendants(server.pid!)) tryKill(pid)
    },
    async stop() {
      const gone = once(server, 'exit')
      for (const pid of descendants(server.pid!)) tryKill(pid)
      server.kill()
      await gone
      await rm(base, { recursive: true, force: true })
    },
  }
}

/** sshd takes no port 0: a free one is looked up, and another when it was taken meanwhile. */
async function launch(base: string, home: string): Promise<{ server: ChildProcess; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort()
    const config = [
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${join(base, 'keys', 'host')}`,
      `AuthorizedKeysFile ${join(base, 'authorized')}`,
      'PidFile none',
      'StrictModes no',
      'UsePAM no',
      'PermitRootLogin prohibit-password',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'Subsystem sftp internal-sftp',
      // bash reads the user's .bashrc for each command: on a developer's machine that may do anything, and is killed by `cut`.
      `SetEnv HOME=${home}`,
    ]
    await writeFile(join(base, 'sshd_config'), `${config.join('\n')}\n`)
    const server = spawn(SSHD, ['-D', '-e', '-f', join(base, 'sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] })
    const said: string[] = []
    for await (const line of createInterface({ input: server.stderr! })) {
      said.push(line)
      if (line.includes('Server listening')) {
        server.stderr!.resume()
        return { server, port }
      }
    }
    if (attempt === 3) throw new Error(`sshd did not start: ${said.join(' | ')}`)
  }
}

async function startSandbox(): Promise<SshWorld> {
  const { base, folder, local, key } = await folders()
  const pod = await startPodSsh({
    root: folder,
    authorizedKeys: [key.publicKey],
    hostKeyPath: join(base, 'keys', 'host'),
    env: {},
    binDir: join(base, 'bin'),
    reach: port => port,
  })
  return {
    address: { host: '127.0.0.1', port: pod.port, user: 'root' },
    privateKey: key.privateKey,
    folder,
    local,
    cut: () => pod.cut(),
    async stop() {
      await pod.stop()
      await rm(base, { recursive: true, force: true })
    },
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

function descendants(root: number): number[] {
  const parents = new Map<number, number>()
  if (existsSync('/proc/self/stat')) {
    for (const name of readdirSync('/proc').filter(entry => /^\d+$/.test(entry)))
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
        parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
      } catch {
        // Ended since the folder was read.
      }
  } else {
    for (const row of execFileSync('ps', ['-axo', 'pid=,ppid=']).toString().trim().split('\n')) {
      const [pid, parent] = row.trim().split(/\s+/).map(Number)
      parents.set(pid!, parent!)
    }
  }
  const found: number[] = []
  for (let level = [root]; level.length > 0; ) {
    level = [...parents].filter(([, parent]) => level.includes(parent)).map(([pid]) => pid)
    found.push(...level)
  }
  return found
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}
