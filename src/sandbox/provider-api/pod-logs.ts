// The log stream of a pod as server-sent events (RunPod REST v2 OpenAPI, 2026-08): container and system lines, no end.
import { read } from '../cloud.ts'
import { notFound, problem, type Route } from './answer.ts'

export const getLogs: Route = call => {
  const [id = ''] = call.params
  if (!call.keeper.move((cloud, nowMs) => [cloud, read(cloud, nowMs, id)])) return notFound
  const source = call.query.get('source')
  const tail = Number(call.query.get('tail') ?? 100)
  const errors: string[] = []
  if (source !== null && source !== 'container' && source !== 'system')
    errors.push("source: value must be one of 'container', 'system'")
  if (!Number.isInteger(tail) || tail < 0 || tail > 5000) errors.push('tail: must be an integer from 0 to 5000')
  if (errors.length) return problem(422, 'Request validation failed.', errors)

  const wanted = (line: { source: string }) => source === null || line.source === source
  const lines = call.machines.log(id).lines().filter(wanted)
  const since = call.query.get('since')
  // A cursor is exclusive, and goes before `since`, which goes before `tail`; `tail` counts each source by itself.
  const afterCursor = (cursor: string) => lines.filter(line => line.id > cursor)
  const lastOf = (name: 'container' | 'system') => (tail ? lines.filter(line => line.source === name).slice(-tail) : [])
  const first = call.lastEventId
    ? afterCursor(call.lastEventId)
    : since
      ? lines.filter(line => line.atMs >= Date.parse(since))
      : lines.filter(line => lastOf(line.source).includes(line))
  return {
    kind: 'stream',
    first,
    follow: listener => call.machines.log(id).follow(line => void (wanted(line) && listener(line))),
  }
}
