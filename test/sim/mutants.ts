// Deliberate mistakes: each is one replacement in one file of src, and each must be caught by some world within 2,000 seeds. A search
// text that no longer occurs exactly once means that the code moved on: the mistake has to be planted anew, or it is no longer possible.

export type Mutant = {
  /** What the mistake is, as somebody could make it. */
  name: string
  file: string
  search: string
  replace: string
  /** Hunted in worlds of hours with caps (budget.ts), not in those of all seeds. */
  inBudget?: boolean
}

export const MUTANTS: Mutant[] = [
  {
    name: 'what was under way when the journal refused facts is no open question afterwards',
    file: 'engine/engine.ts',
    search: '    const context = contextNow()\n',
    replace: '    const context = { ...life.context, journal }\n',
  },
  {
    name: 'a pod is rented before the journal knows of it',
    file: 'engine/engine.ts',
    search: '      if (first.facts.length === 0) return first.needs\n',
    replace: `      if (first.facts.length === 0) return first.needs
      for (const fact of first.facts)
        if (fact.type === 'pod.requested')
          void options.boot(fact.name, { leaseMs: 1, deadlineMs: 1 }).then(boot => options.providers.get('sim')?.create(fact.name, fact.offer, boot, true)).catch(() => {})
`,
  },
  {
    name: 'a prompt id is chosen after the journal was written',
    file: 'engine/work.ts',
    search: '        promptId: begun.promptId,',
    replace: '        promptId: clock.uuid(),',
  },
  {
    name: 'what an earlier engine ordered is not looked for',
    file: 'engine/create.ts',
    search: '    return adoptOrRefuse(context.startedAt + provider.createMaxMs, lost)',
    replace: '    return refuse(lost)',
  },
  {
    name: 'a creation in flight is not waited for',
    file: 'engine/create.ts',
    search: '    if (listing.askedAt < until) continue\n',
    replace: '',
  },
  {
    name: 'a creation is refused although an earlier try was lost',
    file: 'engine/create.ts',
    search: 'landsUntil === null ? refuse(fault) : adoptOrRefuse(landsUntil, fault)',
    replace: 'refuse(fault)',
  },
  {
    name: 'no sweep for pods that a lost creation made',
    file: 'engine/watch.ts',
    search: '      endStrays(context, rows)\n',
    replace: '',
  },
  {
    name: 'a pod is destroyed only once',
    file: 'engine/release.ts',
    search: '    if (!firstAbsent) {',
    replace: '    if (!firstAbsent && tries === 0) {',
  },
  {
    name: 'a pod is gone when its release is accepted',
    file: 'engine/release.ts',
    search: '    if (listing.rows.has(ref)) {',
    replace: '    if (false as boolean) {',
  },
  {
    name: 'a pod is gone at the first absence',
    file: 'engine/release.ts',
    search: '    if (listing.askedAt - firstAbsent.askedAt < provider.settleMs) continue\n',
    replace: '',
  },
  {
    name: 'a pod is gone without a direct look',
    file: 'engine/release.ts',
    search: "    if (looked.value !== null && looked.value.status !== 'terminated') {",
    replace: '    if (false as boolean) {',
  },
  {
    name: 'a look that failed proves that a pod is gone',
    file: 'engine/release.ts',
    search: '    if (!looked.ok) continue\n    if (looked.value !== null &&',
    replace: '    if (looked.ok && looked.value !== null &&',
  },
  {
    name: 'the settling time is ignored when a pod is missed',
    file: 'engine/watch.ts',
    search: '    if (askedAt - since < provider.settleMs) continue\n',
    replace: '',
  },
  {
    name: 'an unknown listing is believed to be an empty one',
    file: 'engine/watch.ts',
    search: '    const asked = await settle(() => provider.list())\n',
    replace: `    const asked = await settle(() => provider.list())
    if (asked.ok && !asked.value.known) asked.value = { known: true, pods: [] }
`,
  },
  {
    name: 'the meter starts when the pod is made',
    file: 'domain/fold-pod.ts',
    search: 'if (whole && open) open.perHour = perHour',
    replace: 'if (whole && open) Object.assign(open, { perHour, from: at })',
  },
  {
    name: 'the price that the provider takes is not learnt',
    file: 'domain/fold-pod.ts',
    search: '      setPrice(pod, event.perHour, event.at, true)\n',
    replace: '',
  },
  {
    name: 'a pod that is stopped costs nothing',
    file: 'engine/release.ts',
    search: 'const perHour = provider.stoppedPerHour(pod.offer)',
    replace: 'const perHour = 0',
  },
  {
    name: 'a pod is stopped when the provider accepted it',
    file: 'engine/release.ts',
    search: "if (listing?.rows.get(ref)?.status === 'stopped') {",
    replace: 'if (listing) {',
  },
  {
    name: 'a pod that broke at work is used again',
    file: 'domain/fold-pod.ts',
    search: '      pod.broken ??= event.fault\n',
    replace: '      if (pod.readyAt === null) pod.broken ??= event.fault\n',
  },
  {
    name: 'a broken pod is kept',
    file: 'domain/plan.ts',
    search: '    if (pod.broken) {\n',
    replace: '    if (pod.broken && pod.jobKey) {\n',
  },
  {
    name: 'the limit of pods forgets those on their way out',
    file: 'domain/scaling.ts',
    search: "pods.filter(pod => mayBill(pod) && pod.status !== 'stopped').length",
    replace: 'pods.filter(isUsable).length',
  },
  {
    name: 'the limit of dollars an hour is ignored',
    file: 'domain/scaling.ts',
    search: '      perHourLeft -= offer.perHour\n',
    replace: '',
  },
  {
    name: 'pods ordered in one go are not counted',
    file: 'domain/scaling.ts',
    search: '      room--\n',
    replace: '',
  },
  {
    name: 'nobody looks at the limits of a run',
    file: 'domain/plan.ts',
    search: '  runLimits,\n  drain,',
    replace: '  drain,',
    inBudget: true,
  },
  {
    name: 'a cancel is not waited for',
    file: 'engine/under-way.ts',
    search: "else if (effect.kind === 'run' && effect.cancel) present.abort.abort('cancel')",
    replace: `else if (effect.kind === 'run' && effect.cancel)
        context.journal.record(() => [{ type: 'attempt.cancelled', jobKey: effect.jobKey, attempt: effect.attempt }])`,
  },
  {
    name: 'a prompt that ignored its cancel leaves its pod in use',
    file: 'domain/attempt-end.ts',
    search: "    { type: 'pod.broken', podId: attempt.podId, fault: { ...fault, kind: 'pod' } },\n",
    replace: '',
  },
  {
    name: 'an attempt is submitted again after a restart',
    file: 'engine/work.ts',
    search: '  let resumed = begun.requestedAt < context.startedAt\n',
    replace: '  let resumed = false\n',
  },
  {
    name: 'an attempt is submitted again over a new link',
    file: 'engine/work.ts',
    search: '      resumed = true\n',
    replace: '',
  },
  {
    name: 'an engine takes what was written in its first millisecond for its own',
    file: 'engine/engine.ts',
    search: '  clock.pass(journal.fleet.at + 1)\n',
    replace: '',
  },
  {
    name: 'time runs backwards when somebody sets the clock',
    file: 'engine/engine.ts',
    search: '  const clock = createSteadyClock(options.clock)\n',
    replace: '  const clock = { ...options.clock, pass() {} }\n',
  },
  {
    name: 'a pod gets another port after a restart',
    file: 'engine/slots.ts',
    search: '      if (own) return own\n',
    replace: '',
  },
  {
    name: 'two pods get the same port',
    file: 'engine/slots.ts',
    search: '      while (taken.has(port)) port++\n',
    replace: '',
  },
  {
    name: 'a tunnel is left open',
    file: 'engine/slots.ts',
    search: '    await tunnel?.close()\n',
    replace: '    if (tunnel && tunnels.size > 0) await tunnel.close()\n',
  },
  {
    name: 'publishing is skipped',
    file: 'engine/work.ts',
    search:
      '    const done = await settle(() => context.lanes.move(() => courier.publish(job.spec, artifacts, replace)))\n',
    replace:
      '    const done = await settle(async () => (artifacts.length > 2 ? courier.publish(job.spec, artifacts, replace) : []))\n',
  },
  {
    name: 'what could not be published is done again',
    file: 'domain/fold-job.ts',
    search: "isUnpublished(job) ? 'running' : 'waiting'",
    replace: "'waiting'",
  },
  {
    name: 'what no limit for the hour can pay waits for capacity',
    file: 'domain/scaling.ts',
    search: 'isBare && least !== null && least > (run.policy.perHourMax ?? least)',
    replace: 'false as boolean',
  },
  {
    name: 'a job gives up while a pod of its run takes the limit for the hour',
    file: 'domain/scaling.ts',
    search: 'isBare && least !== null && least > (run.policy.perHourMax ?? least)',
    replace: 'least !== null && least > perHourLeft',
  },
  {
    name: 'files are told twice when a task is taken up again',
    file: 'engine/work.ts',
    search: 'live.artifacts.some(({ key }) => key === artifact.key)',
    replace: 'live.artifacts.length > 9',
  },
  {
    name: 'lost pods are not counted',
    file: 'domain/retry.ts',
    search: 'if (tries > retries) return',
    replace: 'if (tries > 99) return',
  },
  {
    name: 'lost tries are not counted',
    file: 'domain/retry.ts',
    search: '      if (tries >= limits.transientTries) return',
    replace: '      if (tries >= 99) return',
  },
  {
    name: 'a job that failed by itself is tried again',
    file: 'domain/retry.ts',
    search: "    case 'job':\n      return { again: false, fault }\n",
    replace: "    case 'job':\n      return { again: true, dueAt: endedAt, why: '' }\n",
  },
  {
    name: 'a pause before the next try is not kept',
    file: 'domain/plan.ts',
    search: "job.status === 'waiting' && job.dueAt <= now && !job.cancelRequested",
    replace: "job.status === 'waiting' && !job.cancelRequested",
  },
  {
    name: 'an attempt does not end with its pod',
    file: 'domain/plan.ts',
    search: '  loseAttempts,\n  judge,',
    replace: '  judge,',
  },
  {
    name: 'a job that was cancelled while it waited runs',
    file: 'domain/fold-job.ts',
    search: 'if (!isSettled(job)) job.cancelRequested = true',
    replace: "if (job.status === 'running') job.cancelRequested = true",
  },
  {
    name: 'a drained pod takes another job',
    file: 'domain/fold-pod.ts',
    search: '      pod.draining = true\n',
    replace: '      pod.draining = pod.jobKey === null\n',
  },
  {
    name: 'a pod is used again although the run forbids it',
    file: 'domain/plan.ts',
    search: '    else if (!run.policy.reuse && pod.finished > 0)',
    replace: '    else if (!run.policy.reuse && pod.finished > 9)',
  },
  {
    name: 'a run closes while its pods are on their way out',
    file: 'domain/plan.ts',
    search: "    if (pods.some(pod => mayBill(pod) && pod.status !== 'stopped' && !(run.policy.keep",
    replace: "    if (pods.some(pod => mayBill(pod) && pod.status !== 'releasing' && !(run.policy.keep",
  },
  {
    name: 'a person is needed and jobs start all the same',
    file: 'domain/plan.ts',
    search: '    if (standstill(fleet, run.policy.provider)) continue\n',
    replace: '',
  },
  {
    name: 'what running pods will still cost is not counted',
    file: 'domain/admission.ts',
    search: '      left -= endCost(fleet, pod, now, limits) + (under ?? 0)',
    replace: '      left -= endCost(fleet, pod, now, limits)',
    inBudget: true,
  },
  {
    name: 'the end of the pods is not counted',
    file: 'domain/budget.ts',
    search: '    left -= endCost(fleet, pod, now, limits)\n',
    replace: '',
    inBudget: true,
  },
  {
    name: 'a cap is looked at only when something starts',
    file: 'domain/plan.ts',
    search: '  drain,\n  drainAccount,',
    replace: '  drainAccount,',
    inBudget: true,
  },
  {
    name: 'jobs start although 90 % of the money is spent',
    file: 'domain/budget.ts',
    search: 'run.budgetStep >= 90 && jobs.some',
    replace: 'run.budgetStep >= 100 && jobs.some',
    inBudget: true,
  },
  {
    name: 'a pod dearer than it was offered passes the limit for the hour',
    file: 'domain/plan.ts',
    search: '  drainAccount,\n  priceLimits,',
    replace: '  drainAccount,',
  },
  {
    name: 'jobs start although the balance is all but gone',
    file: 'domain/account.ts',
    search: "  if (!state?.balance || state.balance.level === 'low') return null\n",
    replace: "  if (!state?.balance || state.balance.level !== 'out') return null\n",
    inBudget: true,
  },
  {
    name: 'what still runs is left to an empty account',
    file: 'domain/plan.ts',
    search: '  drainAccount,\n',
    replace: '',
    inBudget: true,
  },
  {
    name: 'the balance is never judged',
    file: 'domain/account.ts',
    search: '  const fell = (level',
    replace: '  if (now > 0) return []\n  const fell = (level',
    inBudget: true,
  },
  {
    name: 'a stuck attempt is warned of and nothing is done',
    file: 'domain/stuck.ts',
    search: '  if (now - Math.max(since, stall.waitAskedAt ?? since) < patienceMs) return null\n',
    replace: '  if (patienceMs > 0) return null\n',
  },
  {
    name: 'what a job says is not heard',
    file: 'engine/vigil.ts',
    search: '      if (signs) signs = { ...signs, message: clock.now() }\n',
    replace: '',
  },
  {
    name: 'a GPU at work is not waited for',
    file: 'domain/stuck.ts',
    search: 'isIdle ? limits.stuckActMs : limits.stuckBusyActMs',
    replace: 'isIdle ? limits.stuckActMs : limits.stuckActMs',
  },
  {
    name: 'a person who wants to wait is not heard',
    file: 'domain/stuck.ts',
    search: 'stall.waitAskedAt ?? since',
    replace: 'since',
  },
  {
    name: 'a prompt that did not heed its interrupt is left where the next one goes',
    file: 'engine/unstick.ts',
    search: "    take('restart', 'the interrupt had no effect')\n",
    replace: "    return over('transient', 'it was interrupted')\n",
  },
  {
    name: 'a prompt that its server lost is submitted again under its id',
    file: 'engine/work.ts',
    search: "        isTaken: status === 'started' || stalls.length > 0,",
    replace: '        isTaken: false,',
  },
  {
    name: 'a job out of memory is tried on cards of the same size for ever',
    file: 'domain/placement.ts',
    search: 'Math.max(spec.vramGbMin, vramGbAbove > 0 ? vramGbAbove + 1 : 0)',
    replace: 'spec.vramGbMin',
  },
  {
    name: 'a job out of memory is tried again without freeing any',
    file: 'domain/plan.ts',
    search: '      ...(freed !== null && { freeFirst: true }),\n',
    replace: '',
  },
  {
    name: 'the memory that was to be freed is not',
    file: 'engine/work.ts',
    search: '        freeFirst: begun.freeFirst,\n',
    replace: '        freeFirst: false,\n',
  },
  {
    name: 'a job that takes down every host gets another one',
    file: 'domain/retry.ts',
    search: '  if (poison) return { again: false, fault: poison }\n',
    replace: '',
  },
  {
    name: 'a host that failed is used again and again',
    file: 'domain/plan.ts',
    search: '  (fleet, now, { limits }) => avoidHosts(fleet, now, limits),\n',
    replace: '',
  },
  {
    name: 'a lease is never renewed',
    file: 'engine/lease.ts',
    search: '    while (!signal.aborted) {\n',
    replace: '    while (false as boolean) {\n',
  },
  {
    name: 'the bucket is not told when SSH does not carry a renewal',
    file: 'engine/lease.ts',
    search: '    const told = await settle(() => guard.renewByBucket(name))\n',
    replace: '    const told = await settle(async () => {})\n',
  },
  {
    name: 'nobody looks for what a pod left',
    file: 'domain/plan.ts',
    search: '    if (awaitsFarewell(pod) && !job.cancelRequested) continue\n',
    replace: '',
  },
  {
    name: 'what a pod left is read and not taken over',
    file: 'domain/lease.ts',
    search: '  if (!artifacts) return [read]\n',
    replace: '  if (artifacts !== undefined) return [read]\n',
  },
  {
    name: 'what a pod is about to save is not waited for',
    file: 'engine/salvage.ts',
    search: 'if (isThere || isLate || !isExpected(pod)) left',
    replace: 'left',
  },
  {
    name: 'an attempt whose files are not there succeeds',
    file: 'domain/lease.ts',
    search: "    ...fresh.map((artifact): Fact => ({ type: 'artifact.stored', jobKey, attempt: number, artifact })),\n",
    replace: '',
  },
  {
    name: 'a pod that nobody reached before it ended itself was never made',
    file: 'engine/create.ts',
    search: '    const row = found ?? (await lastWords(context, podId))\n',
    replace: '    const row = found\n',
  },
  {
    name: 'progress begins anew with each engine',
    file: 'engine/gauges.ts',
    search: 'new Map<string, JobGauge>(shown.jobs)',
    replace: 'new Map<string, JobGauge>()',
  },
  {
    name: 'who takes the last step against a stuck job sees to what comes of it',
    file: 'domain/plan.ts',
    search: '  giveUpStuck,\n',
    replace: '',
  },
  {
    name: 'a changed object is brought home for ever',
    file: 'domain/job.ts',
    search: "fault.code === 'transfer_corrupt' && isOften",
    replace: "fault.code === 'transfer_corrupt' && times < 0",
  },
]
