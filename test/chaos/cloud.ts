// `autopod sandbox` as a process that outlives every kill of the program, and what there really is, by its own account.
import { join } from 'node:path'
import type { SandboxDescription } from '../../src/sandbox/assembly.ts'
import { type Home, within } from './home.ts'
import type { Weather } from './weather.ts'

export type CloudStatus = {
  pods: { id: string; name: string; status: string }[]
  bills: { podId: string; name: string; micro: number; seconds: number }[]
  /** How often each prompt was queued. */
  prompts: Record<string, number>
}
export type Cloud = {
  status(): Promise<CloudStatus>
  /** Rents a pod that is none of the program's; gives back its id. */
  rent(name: string): Promise<string>
  /** Resolves with what is wrong with the way it ended; null when nothing is. */
  end(): Promise<string | null>
}

/** Longest wait for the pod of somebody else, in a cloud with every fault. */
const RENT_MAX_MS = 30_000

export async function startCloud(home: Home, { seed, faults, bootMs, stepMs }: Weather): Promise<Cloud> {
  const numbers = ['--port', '0', '--seed', String(seed), '--boot-ms', String(bootMs), '--step-ms', String(stepMs)]
  const chances = faults.length > 0 ? ['--faults', faults.join(',')] : []
  const server = home.start('sandbox', '--state', join(home.dir, 'cloud'), ...numbers, ...chances)
  const { runpod_url: url, api_key: key } = JSON.parse(await server.line) as SandboxDescription
  const headers = { authorization: `Bearer ${key}`, connection: 'close', 'content-type': 'application/json' }
  const status = async () => {
    const answer = await fetch(new URL('/sandbox/status', url), { headers })
    return (await answer.json()) as CloudStatus
  }
  return {
    status,
    async rent(name) {
      const body = JSON.stringify({
        name,
        image: 'jupyter/base-notebook',
        gpu: { id: 'NVIDIA A40', count: 1 },
        disk: 20,
        ports: ['22/tcp'],
        env: {},
      })
      let id: string | undefined
      await within(RENT_MAX_MS, async () => {
        // Refused, lost or silent: the status knows whether it was made all the same.
        const signal = AbortSignal.timeout(1000)
        await fetch(`${url}/pods`, { method: 'POST', headers, body, signal }).catch(() => {})
        id = (await status()).pods.find(pod => pod.name === name)?.id
        return id !== undefined
      })
      if (id === undefined) throw new Error(`no pod for somebody else within ${RENT_MAX_MS / 1000} s`)
      return id
    },
    async end() {
      server.kill('SIGTERM')
      const { code, signal, stderr } = await server.ended
      return code === 0 && stderr === '' ? null : `the cloud ended with ${code ?? signal}: ${stderr}`
    },
  }
}
