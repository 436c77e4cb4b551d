// Finding ComfyUI's folders on a pod: from its command line, from its process, from a variable, or not at all.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { findFolders } from '../../src/edge/executors/comfy-folders.ts'
import { beforeItEnds } from './child.ts'
import { folder, localMachine } from './executor-worlds.ts'

const never = new AbortController().signal
const find = (argv: string[], env = {}) => findFolders(argv, localMachine('http://127.0.0.1:1', env), never)

test('a base directory in the command line tells all three', async () => {
  expect(await find(['main.py', '--base-directory', '/data/comfy/'])).toEqual({
    input: '/data/comfy/input',
    output: '/data/comfy/output',
    temp: '/data/comfy/temp',
  })
})

test('single flags win over the base, and temp lies below its own', async () => {
  const flags = ['--output-directory=/o/', '--input-directory', '/i', '--temp-directory', '/t']
  expect(await find(['/opt/ComfyUI/main.py', ...flags])).toEqual({ input: '/i', output: '/o', temp: '/t/temp' })
})

test('an absolute main.py tells the rest', async () => {
  const folders = await find(['/opt/ComfyUI/main.py', '--output-directory', '/o'])
  expect(folders).toEqual({ input: '/opt/ComfyUI/input', output: '/o', temp: '/opt/ComfyUI/temp' })
})

test('a relative main.py is found through its process, and relative flags from where it runs', async () => {
  const home = await realpath(await folder())
  await mkdir(join(home, 'app/comfy'), { recursive: true })
  await writeFile(join(home, 'app/main.py'), 'echo started; read wait\n')
  const server = spawn('/bin/sh', ['app/main.py'], { cwd: home })
  onTestFinished(() => void server.kill())
  await beforeItEnds(server, once(server.stdout, 'data'))
  expect(await find(['app/main.py', '--output-directory', 'out'])).toEqual({
    input: join(home, 'app/input'),
    output: join(home, 'out'),
    temp: join(home, 'app/temp'),
  })
})

test('COMFYUI_DIR tells it when no process does', async () => {
  const home = await folder()
  await writeFile(join(home, 'main.py'), '')
  expect((await find(['main.py'], { COMFYUI_DIR: home })).input).toBe(join(home, 'input'))
})

test('a folder that is told nowhere and lies nowhere is a matter of the pod', async () => {
  const home = await folder()
  const finding = find(['main.py'], { COMFYUI_DIR: '', HOME: home })
  await expect(finding).rejects.toMatchObject({ data: { kind: 'pod', code: 'comfy_folder_unknown' } })
})
