// config/error-patterns.json: it fits its schema, knows what real servers write, and no line is long enough to stop it.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { marksOf, openMarks } from '../../src/edge/logs/marks.ts'
import { errorPatternsFile } from '../../src/wire/files-patterns.ts'

const file = errorPatternsFile.parse(
  JSON.parse(readFileSync(new URL('../../config/error-patterns.json', import.meta.url), 'utf8')),
)

// Lines as the named sources show them: recordings of ComfyUI 0.3.64 and 0.33.0, issues, PyTorch, kernel, Docker, NVIDIA.
const LINES: Record<string, string> = {
  'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.': 'gpu_memory_full',
  '!!! Exception during processing !!! Allocation on device ': 'gpu_memory_full',
  'Allocation on device 0 would exceed allowed memory. (out of memory)': 'gpu_memory_full',
  'RuntimeError: CUDA error: out of memory': 'gpu_memory_full',
  "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory": 'host_memory_full',
  Killed: 'process_killed',
  '/home/scripts/entrypoint.sh: line 42:     8 Killed                  python3 ./ComfyUI/main.py': 'process_killed',
  "cannot identify image file '/workspace/ComfyUI/input/corrupt.png'": 'input_unreadable',
  'safetensors_rust.SafetensorError: Error while deserializing header: MetadataIncompleteBuffer': 'model_damaged',
  "Value not in list: ckpt_name: 'sd15.safetensors' not in []": 'model_missing',
  "    - Value not in list: clip_name1: 't5xxl.safetensors' not in (list of length 2)": 'model_missing',
  "ckpt_name: 'sd15.safetensors' not in []": 'model_missing',
  "FileNotFoundError: [Errno 2] No such file or directory: '/workspace/models/vae/ae.safetensors'": 'model_missing',
  'RuntimeError: CUDA error: an illegal memory access was encountered': 'gpu_failed',
  'NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus.': 'gpu_failed',
  'RuntimeError: CUDA error: no kernel image is available for execution on the device': 'gpu_unsupported',
  'NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not compatible with the current PyTorch installation.':
    'gpu_unsupported',
  'nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.8, please update your driver':
    'driver_too_old',
  'nvidia-container-cli: initialization error: nvml error: driver/library version mismatch: unknown.': 'gpu_missing',
  'Failed to initialize NVML: Unknown Error': 'gpu_missing',
  'RuntimeError: Found no NVIDIA driver on your system.': 'gpu_missing',
  'OSError: [Errno 28] No space left on device': 'disk_full',
  'OSError: [Errno 122] Disk quota exceeded': 'disk_full',
  'curl: (7) Failed to connect to 127.0.0.1 port 8188: Connection refused': 'connection_refused',
  'image - Invalid image file: x.png': 'input_missing',
  '   0.0 seconds (IMPORT FAILED): /workspace/ComfyUI/custom_nodes/ComfyUI-WanVideoWrapper': 'node_import_failed',
  "ModuleNotFoundError: No module named 'dotenv'": 'module_missing',
  "Cannot import /ComfyUI/custom_nodes/x module for custom nodes: No module named 'srt'": 'node_import_failed',
  'mat1 and mat2 shapes cannot be multiplied (154x2048 and 4096x1152)': 'shapes_differ',
  "RuntimeError: sum_cuda not implemented for 'Float8_e4m3fn'": 'type_unsupported',
  'Promotion for Float8 Types is not supported, attempted to promote Float8_e4m3fn and BFloat16': 'type_unsupported',
  'Cannot access gated repo for url https://huggingface.co/black-forest-labs/FLUX.1-dev/resolve/main/ae.safetensors.':
    'download_refused',
  "[Errno 98] error while attempting to bind on address ('127.0.0.1', 8188): address already in use": 'port_taken',
  'toomanyrequests: You have reached your unauthenticated pull rate limit.': 'image_pull_failed',
  'Error response from daemon: manifest for runpod/comfyui:nope not found: manifest unknown': 'image_pull_failed',
  'docker: Error response from daemon: OCI runtime create failed: container_linux.go:345': 'start_failed',
  "(Caused by NameResolutionError: Failed to resolve 'huggingface.co' ([Errno -3] Temporary failure in name resolution))":
    'network_failed',
}

// What a healthy pod says all day; a mark on these would teach people to overlook marks.
const HEALTHY = [
  'got prompt',
  'Prompt executed in 2.31 seconds',
  'model weight dtype torch.float8_e4m3fn, manual cast: torch.bfloat16',
  'Requested to load Flux2',
  'loaded partially; 5672.80 MB usable, 5432.25 MB loaded, 2240.00 MB offloaded, lowvram patches: 0',
  '   0.0 seconds: /workspace/ComfyUI/custom_nodes/ComfyUI-Manager',
  'Set vram state to: NORMAL_VRAM',
  'Using pytorch cross attention',
  '100%|██████████| 20/20 [00:07<00:00,  2.75it/s]',
  'To see the GUI go to: http://0.0.0.0:8188',
  'Total VRAM 48677 MB, total RAM 515649 MB',
  'Node 12 KSampler is executed',
]

test('lines of real servers are known for what they are, and healthy ones are left alone', () => {
  const mark = openMarks()
  for (const [line, code] of Object.entries(LINES)) expect([line, mark(line)?.code]).toEqual([line, code])
  expect(HEALTHY.filter(line => mark(line) !== null)).toEqual([])
  const unseen = file.patterns.map(each => each.code).filter(code => !Object.values(LINES).includes(code))
  expect(unseen).toEqual(['node_missing', 'input_refused', 'result_broken', 'permission_denied'])
  expect(new Set(file.patterns.map(each => each.code)).size).toBe(file.patterns.length)
})

test('no pattern takes long over a line of a megabyte, whatever it is full of', () => {
  const starts = file.patterns.flatMap(({ pattern }) =>
    pattern.split('|').map(part => part.replace(/[[({^$\\].*$/s, '')),
  )
  const fillers = [
    ...new Set(starts.filter(start => start.length > 2)),
    'a',
    ' ',
    '0',
    'Value not in list: model_',
    ': line 1:  1',
  ]
  const slow: string[] = []
  for (const filler of fillers) {
    const line = filler.repeat(Math.ceil(1_000_000 / filler.length))
    const before = performance.now()
    marksOf({ patterns: file.patterns })(line)
    // The part that is looked at is bounded; whole lines only for those patterns that the filler makes busy.
    for (const { pattern, code } of file.patterns.filter(each => each.pattern.includes(filler))) {
      new RegExp(pattern).exec(`${line}\u0000`)
      if (performance.now() - before > 1500) slow.push(`${code} on ${filler}`)
    }
  }
  expect(slow).toEqual([])
})

test('a file with an unbounded pattern is refused', () => {
  const [first] = file.patterns
  for (const pattern of ['Model .* not found', 'a+(b)+x', '[a-z]+ failed', '(unfinished'])
    expect(errorPatternsFile.safeParse({ patterns: [{ ...first, pattern }] }).success).toBe(false)
})
