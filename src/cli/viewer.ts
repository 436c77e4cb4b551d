// Opening things with the system's own viewer, never through a shell.
import { spawn } from 'node:child_process'

/** Best effort, `target` an absolute path or an http address of ours: on a machine without a desktop what was printed is what counts. */
export function openWithSystem(target: string): void {
  const [command, ...args] =
    process.platform === 'darwin'
      ? ['open']
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler']
        : ['xdg-open']
  const child = spawn(command as string, [...args, target], { stdio: 'ignore', detached: true })
  child.on('error', () => {})
  child.unref()
}
