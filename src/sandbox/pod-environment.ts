// The environment that a container on the simulated provider gets, as RunPod's documentation lists it (2026-08).
import type { Pod } from './state.ts'

/**
 * What PID 1 of the pod has. PUBLIC_KEY: the order's own, else the account's keys when the order asks for SSH, else none;
 * an account without keys gives the literal text `null`, as was seen on the live service.
 * RUNPOD_API_URL is ours: it keeps a program in the pod from asking the real provider. AUTOPOD_COMFY_URL, too: pods share one
 * loopback here, so port 8188 of it is no pod's own.
 */
export function podEnvironment(
  pod: Pod,
  how: { publicPorts: Record<string, number>; accountKeys: string[]; apiUrl: string; comfyUrl: string },
): Record<string, string> {
  const count = pod.gpu?.count ?? 0
  const [volume] = pod.mounts.network ?? []
  const env: Record<string, string> = {
    ...pod.env,
    RUNPOD_POD_ID: pod.id,
    RUNPOD_POD_HOSTNAME: pod.hostId,
    RUNPOD_DC_ID: pod.dataCenterId,
    RUNPOD_GPU_COUNT: String(count),
    RUNPOD_CPU_COUNT: String(pod.cpu?.vcpuCount ?? 12 * count),
    RUNPOD_MEM_GB: String(pod.cpu?.memory ?? 62 * count),
    RUNPOD_PUBLIC_IP: '127.0.0.1',
    RUNPOD_API_KEY: pod.key,
    RUNPOD_API_URL: how.apiUrl,
    AUTOPOD_COMFY_URL: how.comfyUrl,
  }
  for (const [inside, outside] of Object.entries(how.publicPorts)) env[`RUNPOD_TCP_PORT_${inside}`] = String(outside)
  if (volume) env.RUNPOD_VOLUME_ID = volume.volumeId
  if (pod.cudaVersion) env.CUDA_VERSION = `${pod.cudaVersion}.0`
  if (!env.PUBLIC_KEY && pod.startSsh) env.PUBLIC_KEY = how.accountKeys.join('\n') || 'null'
  return env
}

/** The text of /etc/rp_environment as RunPod's images write it: PUBLIC_KEY left out, values quoted without escaping. */
export function environmentFile(env: Record<string, string>): string {
  const lines = Object.entries(env).filter(([name]) => /^[A-Z_][A-Z0-9_]*$/.test(name) && name !== 'PUBLIC_KEY')
  return lines.map(([name, value]) => `export ${name}="${value}"\n`).join('')
}
