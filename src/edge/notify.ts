// Notices on their way out: a webhook in the shape its service wants, and the desktop. Best effort: a notice never stops the work.
import { spawn } from 'node:child_process'
import { Fault } from '../domain/fault.ts'
import type { Notice } from '../domain/notice.ts'
import { request } from './http.ts'

export type Shape = 'json' | 'slack' | 'discord' | 'ntfy'
/** Aborted, it gives up at once. */
export type Notify = (notice: Notice, signal?: AbortSignal) => Promise<void>

const TIMEOUT_MS = 10_000
/** Discord's limit for `content` is 2000 characters (its API reference, 2026); the others allow more. */
const TEXT_MAX = 1800

/** By the address of the service, where the settings name no shape. */
export function shapeOf(url: string): Shape {
  const { hostname } = new URL(url)
  if (hostname.endsWith('slack.com')) return 'slack'
  if (hostname.endsWith('discord.com') || hostname.endsWith('discordapp.com')) return 'discord'
  return hostname === 'ntfy.sh' || hostname.startsWith('ntfy.') ? 'ntfy' : 'json'
}

/** Body and headers of one notice. Slack: `text`; Discord: `content`; ntfy: the body is the message, the rest headers. */
export function messageOf(notice: Notice, shape: Shape): { body: string; headers: Record<string, string> } {
  const headers = { 'content-type': 'application/json' }
  const line = `autopod: ${notice.title} · ${notice.text}`.slice(0, TEXT_MAX)
  switch (shape) {
    case 'slack':
      return { body: JSON.stringify({ text: line }), headers }
    case 'discord':
      // Names from outside must not ping a whole server.
      return { body: JSON.stringify({ content: line, allowed_mentions: { parse: [] } }), headers }
    case 'ntfy': {
      const title = `autopod: ${notice.title}`.replace(/[^\x20-\x7e]/g, '?')
      return {
        body: notice.text.slice(0, TEXT_MAX),
        headers: { title, priority: notice.level === 'alarm' ? 'urgent' : 'default' },
      }
    }
    case 'json':
      return {
        body: JSON.stringify({
          source: 'autopod',
          level: notice.level,
          title: notice.title,
          text: notice.text.slice(0, TEXT_MAX),
        }),
        headers,
      }
  }
}

/** Faults: transient (the service did not take it). */
export function toWebhook(url: string, shape: Shape = shapeOf(url)): Notify {
  return async (notice, signal) => {
    const message = messageOf(notice, shape)
    const answer = await request({ method: 'POST', url, ...message, timeoutMs: TIMEOUT_MS, ...(signal && { signal }) })
    // What it says is nobody's; it may have no end.
    answer.stream.destroy()
    // Without its address: who knows a webhook may write to it.
    if (answer.status >= 300)
      throw new Fault({ kind: 'transient', code: 'notice_refused', message: `the webhook answered ${answer.status}` })
  }
}

/** `notify-send` or macOS's own; where neither is, nothing happens. */
export const toDesktop: Notify = async notice => {
  const [command, args] =
    process.platform === 'darwin'
      ? [
          'osascript',
          [
            '-e',
            'on run argv',
            '-e',
            'display notification (item 2 of argv) with title (item 1 of argv)',
            '-e',
            'end run',
            `autopod: ${notice.title}`,
            notice.text,
          ],
        ]
      : ['notify-send', ['--app-name=autopod', '--', `autopod: ${notice.title}`, notice.text]]
  const child = spawn(command as string, args as string[], { stdio: 'ignore', detached: true })
  child.on('error', () => {})
  child.unref()
}
