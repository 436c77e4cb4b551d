// A whole job over a real OpenSSH server: 300 MB in, a ComfyUI behind the tunnel, 300 MB out, no bucket in between.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { afterEach, expect, test } from 'vitest'
import type { Artifact, InputFile } from '../../src/domain/job.ts'
import { createDisk } from '../../src/edge/buckets/disk.ts'
import { systemClock } from '../../src/edge/clock.ts'
import { createComfyExecutor } from '../../src/edge/executors/comfy.ts'
import { createDialer } from '../../src/edge/ssh/dialer.ts'
import { createCourier } from '../../src/edge/transfer.ts'
import { startComfy } from '../../src/sandbox/comfy/server.ts'
import { taskOf } from '../contract/executor-worlds.ts'
import { freePort, IMPLEMENTATIONS } from '../contract/ssh-worlds.ts'

const BULK_BYTES = 300 * 1024 * 1024
const openSsh = IMPLEMENTATIONS.find(({ name }) => name === 'OpenSSH')!
const endings: (() => unknown)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

test.skipIf(openSsh.missing)(
  `a job runs over OpenSSH with files of 300 MB${openSsh.missing ? ` (skipped: ${openSsh.missing})` : ''}`,
  { timeout: 120_000 },
  async () => {
    const world = await openSsh.start()
    endings.push(() => world.stop())
    const comfy = await startComfy({
      root: join(world.folder, 'ComfyUI'),
      log: () => {},
      gpu: { name: 'NVIDIA A40', vramBytes: 48e9 },
      stepMs: 1,
    })
    endings.push(() => comfy.stop())
    const dialer = createDialer({ privateKey: world.privateKey })
    endings.push(() => dialer.close())
    const tunnel = await dialer.hold(await freePort(), comfy.port)
    endings.push(() => tunnel.close())
    const machine = await dialer.connect(world.address, { pinned: null, tunnel })
    endings.push(() => machine.close())
    const bucket = createDisk(join(world.local, 'bucket'))
    const courier = createCourier({
      bucket,
      bucketName: null,
      tempDir: join(world.local, 'transfer'),
      clock: systemClock,
    })

    const input = await bulkFile(join(world.local, 'voice.wav'))
    const graph = {
      '1': { class_type: 'EmptyImage', inputs: { width: 64, height: 64, batch_size: 1, color: 255 } },
      '2': { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'red' } },
    }
    const task = taskOf(graph, { inputs: [input] })
    const stored: Artifact[] = []
    const executor = createComfyExecutor({ courier, clock: systemClock, port: comfy.port, pollMs: 100 })
    const on = {
      started() {},
      stored: (artifact: Artifact) => void stored.push(artifact),
      heard() {},
      gauge() {},
      preview() {},
      log() {},
    }
    const [picture] = await executor.run(task, machine, on, new AbortController().signal)
    expect(stored.map(({ file }) => file)).toEqual([picture!.file])
    const arrived = join(world.folder, 'ComfyUI', 'input', input.podPath)
    expect(await digest(arrived)).toBe(input.sha256)

    // Through the tunnel, as a browser would look at it.
    const [subfolder, filename] = input.podPath.split('/')
    const view = await fetch(`${machine.reach(comfy.port)}/view?type=input&subfolder=${subfolder}&filename=${filename}`)
    const seen = createHash('sha256')
    for await (const chunk of view.body!) seen.update(chunk)
    expect(seen.digest('hex')).toBe(input.sha256)

    // The other way, the same bytes as an output of that size.
    const files = [{ podPath: arrived, nodeId: '9', file: 'video.mp4' }]
    const collected = await courier.collect(
      { ...task, attempt: 2 },
      files,
      machine,
      { stored() {}, moved() {} },
      new AbortController().signal,
    )
    expect(collected).toMatchObject([{ file: 'video.mp4', sha256: input.sha256, bytes: BULK_BYTES }])
    expect(await bucket.get(collected[0]!.key, join(world.local, 'back.mp4'))).toEqual({
      sha256: input.sha256,
      bytes: BULK_BYTES,
    })
  },
)

/** Bytes that no compression makes small and no two blocks of which are alike. */
async function bulkFile(path: string): Promise<InputFile> {
  await mkdir(join(path, '..'), { recursive: true })
  const hash = createHash('sha256')
  const file = await open(path, 'w')
  const block = Buffer.alloc(1024 * 1024)
  for (let at = 0; at < BULK_BYTES; at += block.length) {
    crypto.getRandomValues(block.subarray(0, 65_536))
    hash.update(block)
    await file.write(block)
  }
  await file.close()
  const sha256 = hash.digest('hex')
  return { name: 'voice', source: path, sha256, bytes: BULK_BYTES, podPath: `autopod/${sha256.slice(0, 32)}.wav` }
}

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}
