// The loop: facts and keys in, frames and commands out. It decides nothing and waits for nobody.
import type { Fleet } from '../domain/fleet.ts'
import type { Gauges } from '../domain/gauge.ts'
import type { Limits } from '../domain/limits.ts'
import type { Millis } from '../domain/units.ts'
import { crashScreen } from './crash.ts'
import { freeze, lastLines, type Source } from './freeze.ts'
import { ESCAPE_WAIT_MS, newInputReader } from './input.ts'
import { type Command, type Effect, type Facts, type Leave, newModel, type Subject } from './model.ts'
import { openPainter } from './paint.ts'
import { asksOnLeave } from './panels/dialog.ts'
import { isOver } from './state.ts'
import { type Colours, palette } from './style.ts'
import { type Input, noticed, settle, type Update, update } from './update.ts'
import { view } from './view.ts'

export type { Source } from './freeze.ts'
export type { Command, Leave, Picture, Subject } from './model.ts'

export type DashboardOptions = {
  source: Source
  /** Where the page about a run that is over lies; null until it is written. */
  report(runId: string): string | null
  /** What one answer asks for, together. */
  send(commands: readonly Command[]): void
  /** Writes the whole log to a file; answers where it is, or why not, for a notice. Never rejects. */
  save(subject: Subject): Promise<string>
  /** The run this screen belongs to; null = a viewer of the whole home. */
  runId: string | null
  limits: Limits
  /** Calls `fn` again and again; answers how to end it. */
  every(ms: number, fn: () => void): () => void
  input: NodeJS.ReadStream
  output: NodeJS.WriteStream
  ascii: boolean
  colours: Colours
  readonly: boolean
  /** Between frames, 250 as a rule; keys are answered at once. */
  refreshMs: number
  /** Wheel and clicks from the start; `:mouse` changes it. */
  mouse: boolean
  /** The terminal is a pane of tmux. */
  tmux: boolean
  /** Leaves by itself some seconds after the run ended if nobody pressed a key. */
  endWhenDone: boolean
}

export type Dashboard = {
  /** How the user left; the terminal is restored by then. Never rejects. */
  left: Promise<Leave>
  /** Restores the terminal; idempotent, safe in exit handlers. `left` stays open when nobody had chosen. */
  close(): void
  /** As ctrl-z: gives the terminal to the shell until the process is continued. */
  suspend(): void
}

// Long enough that the shell has stopped us when it is going to; without job control the screen comes back by itself.
const SUSPEND_MS = 100

export function openDashboard(options: DashboardOptions): Dashboard {
  const { source, input, output, every } = options
  const painter = openPainter(output, options.ascii, options.tmux)
  const ink = palette(options.colours)
  const reader = newInputReader()
  const size = painter.size()
  const { promise: left, resolve: leave } = Promise.withResolvers<Leave>()
  let model = { ...newModel(size.width, size.height), refreshMs: options.refreshMs, mouse: options.mouse }
  let frozen: Source | null = null
  let isOpen = true
  let pace = options.refreshMs
  let stopFrames = every(pace, frame)
  let isSuspended = false
  /** Why the last frame could not be made; null: it could. */
  let crash: string | null = null
  let cancelWait: (() => void) | null = null
  const held = new Map<string, unknown>()
  let lasting = { fleet: source.fleet(), seq: -1, memo: new Map<string, unknown>() }

  function facts(): Facts {
    const from = frozen ?? source
    const fleet: Fleet = from.fleet()
    const gauges: Gauges = from.gauges()
    const now: Millis = from.now()
    if (lasting.fleet !== fleet || lasting.seq !== fleet.seq) lasting = { fleet, seq: fleet.seq, memo: new Map() }
    return {
      fleet,
      gauges,
      now,
      clock: source.now(),
      runId: options.runId,
      limits: options.limits,
      engineAlive: from.engineAlive(),
      // Not of a frozen screen's moment: what a key asks for now could be lost.
      homeTrouble: source.trouble?.() ?? null,
      readonly: options.readonly,
      endWhenDone: options.endWhenDone,
      logs: subject => lastLines(from.log(subject)),
      log: subject => from.log(subject),
      find: (subject, text) => from.find(subject, text),
      mark: text => from.mark(text),
      preview: jobKey => from.preview(jobKey),
      report: runId => options.report(runId),
      zone: at => -new Date(at).getTimezoneOffset(),
      frame: new Map(),
      lasting: lasting.memo,
      held,
    }
  }

  function frame(): void {
    if (!isOpen || isSuspended) return
    guarded(() => {
      const now = facts()
      const { width, height } = painter.size()
      take(settle(model, now, width, height))
      if (isOpen && !isSuspended) painter.paint(view(model, now, ink, options.ascii))
      crash = null
    })
  }

  /** A panel that falls over must not take the program with it: what it works on goes on. */
  function guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      const { width, height } = painter.size()
      painter.paint(crashScreen(width, height, ink, options.ascii, error))
      // The next frame may well say the same.
      const text = String((error as Error)?.stack ?? error)
      if (text !== crash) console.error(text)
      crash = text
    }
  }

  /** No key means what it did: leave, or begin anew. */
  function recover(one: Input): void {
    crash = null
    const { width, height } = painter.size()
    model = { ...newModel(width, height), refreshMs: model.refreshMs, mouse: model.mouse }
    if (one.type === 'key' && (one.name === 'q' || one.name === 'ctrl-c')) lose()
  }

  function take(result: Update): void {
    model = result.model
    if (model.frozen && !frozen) frozen = freeze(source)
    if (!model.frozen) frozen = null
    painter.mouse(model.mouse)
    if (model.refreshMs !== pace) {
      pace = model.refreshMs
      stopFrames()
      stopFrames = every(pace, frame)
    }
    const commands = result.effects.flatMap(effect => (effect.type === 'send' ? effect.command : []))
    for (const command of commands) if (command.type === 'copy') painter.copy(command.text)
    if (commands.length > 0) options.send(commands)
    for (const effect of result.effects) perform(effect)
  }

  function perform(effect: Effect): void {
    switch (effect.type) {
      case 'send':
        return
      case 'save-log':
        void options.save(effect.subject).then(text => {
          model = noticed(model, facts(), text)
        })
        return
      case 'leave':
        close()
        leave(effect.how)
        return
      case 'repaint':
        painter.repaint()
        return
      case 'suspend':
        suspend()
        return
    }
  }

  function receive(inputs: Input[]): void {
    for (const one of inputs) {
      if (!isOpen) return
      if (crash !== null) recover(one)
      else guarded(() => press(one))
    }
    if (inputs.length > 0) frame()
    wait()
  }

  function press(one: Input): void {
    // Settled first: a key acts on what is known at its moment, not on the last frame's rows.
    const now = facts()
    const { width, height } = painter.size()
    take(settle(model, now, width, height))
    if (isOpen) take(update(model, one, now))
  }

  function wait(): void {
    cancelWait?.()
    cancelWait = null
    if (!isOpen || !reader.pending) return
    cancelWait = every(ESCAPE_WAIT_MS, () => receive(reader.silence()))
  }

  /** The terminal went away: nobody is asked, nothing is ended. */
  function lose(): void {
    if (!isOpen) return
    const how = asksOnLeave(facts()) ? 'background' : isOver(facts()) ? 'ended' : 'viewer'
    close()
    leave(how)
  }

  const onData = (data: Buffer | string) => receive(reader.feed(data))

  function listen(): void {
    input.setRawMode?.(true)
    input.on('data', onData)
    input.resume()
  }

  function unlisten(): void {
    input.off('data', onData)
    try {
      input.setRawMode?.(false)
    } catch {
      // The terminal is gone (EIO after a hang-up): there is nothing left to restore.
    }
    input.pause()
  }

  function close(): void {
    if (!isOpen) return
    isOpen = false
    stopFrames()
    cancelWait?.()
    output.off('resize', frame)
    input.off('end', lose)
    process.off('exit', close)
    painter.close()
    unlisten()
  }

  function suspend(): void {
    if (!isOpen || isSuspended) return
    isSuspended = true
    painter.pause()
    unlisten()
    output.write('autopod is suspended; pods go on and are billed. `fg` brings it back.\n')
    process.kill(process.pid, 'SIGTSTP')
    const cancel = every(SUSPEND_MS, () => {
      cancel()
      if (!isOpen) return
      isSuspended = false
      painter.resume()
      listen()
      frame()
    })
  }

  listen()
  input.on('end', lose)
  // Stays for good: an EIO may come after the screen is closed.
  input.on('error', lose)
  output.on('resize', frame)
  process.on('exit', close)
  painter.mouse(model.mouse)
  frame()
  return { left, close, suspend }
}
