// A pod as REST v2 shows it, with the habits seen on the live service: RUNNING from the first second, `runtime: null` until
// ports are there, http rows with an unreachable 100.64/10 address, and the price unchanged when stopped (recorded 2026-08).
import { actionsOf, stageOf } from '../cloud.ts'
import type { Pod, Settings } from '../state.ts'

const iso = (ms: number) => new Date(ms).toISOString()

export function podJson(pod: Pod, nowMs: number, settings: Settings, gauge = { util: 0, memoryUtil: 0 }) {
  const placed = stageOf(pod, nowMs, settings) !== 'placing'
  const sshPort = pod.publicPorts['22']
  return {
    id: pod.id,
    name: pod.name,
    // In a list that lags, an ended pod reads EXITED.
    status: pod.status === 'RUNNING' ? 'RUNNING' : 'EXITED',
    actions: actionsOf(pod),
    image: pod.image,
    args: pod.args,
    disk: pod.disk,
    ports: pod.ports,
    env: pod.env,
    registry: pod.registry,
    mounts: pod.mounts,
    ...(pod.gpu ? { gpu: pod.gpu } : {}),
    ...(pod.cpu ? { cpu: pod.cpu } : {}),
    cloud: pod.cloud,
    dataCenterId: pod.dataCenterId,
    cudaVersion: pod.cudaVersion,
    ssh: {
      proxy: { host: 'ssh.runpod.io', port: 22, username: pod.hostId, command: `ssh ${pod.hostId}@ssh.runpod.io` },
      direct:
        placed && sshPort !== undefined
          ? { host: '127.0.0.1', port: sshPort, username: 'root', command: `ssh root@127.0.0.1 -p ${sshPort}` }
          : null,
    },
    template: null,
    cost: pod.microPerHour / 1e6,
    locked: pod.locked,
    globalNetworking: pod.globalNetworking
      ? { enabled: true, ip: '10.1.0.2', internalDns: `${pod.id}.runpod.internal` }
      : { enabled: false },
    runtime: placed
      ? {
          uptime: Math.max(0, Math.floor((nowMs - pod.startedAtMs - settings.addressMs) / 1000)),
          ...(pod.gpu ? { gpus: Array.from({ length: pod.gpu.count }, () => gauge) } : {}),
          cpu: { util: 0 },
          memory: { util: 0 },
          ports: portRows(pod),
        }
      : null,
    createdAt: iso(pod.createdAtMs),
    startedAt: iso(pod.startedAtMs),
  }
}

function portRows(pod: Pod) {
  const tcp = Object.entries(pod.publicPorts).map(([inside, outside]) => ({
    ip: '127.0.0.1',
    private: Number(inside),
    public: outside,
    type: 'tcp',
  }))
  // The host's own agent shows up as an http row even when no http port is declared.
  const http = ['19123/http', ...pod.ports.filter(port => port.endsWith('/http'))].map((port, index) => ({
    ip: '100.65.14.155',
    private: Number(port.slice(0, -5)),
    public: 60_821 + index,
    type: 'http',
  }))
  return [...tcp, ...http]
}
