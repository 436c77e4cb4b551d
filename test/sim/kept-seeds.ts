// Seeds that once failed, and what they found. A scenario that changes gives its seeds other stories: these are played all the same,
// and what they found is told by what happened, not by what the seed does today.
export const KEPT_SEEDS: readonly { seed: number; found: string }[] = [
  { seed: 14, found: 'a pod that nobody ever reached ended itself, was billed and in no account' },
  { seed: 50, found: 'a creation that landed late made a second pod of its name, which nobody knew of' },
  { seed: 130, found: 'the same after an engine had died between the two' },
  { seed: 270, found: 'a kept pod was killed by hand at the moment at which the last engine stopped' },
  { seed: 477, found: 'an engine that started in the millisecond of the last write submitted a prompt twice' },
  { seed: 588, found: 'a refusal was believed although an earlier, lost try of the creation had made the pod' },
  { seed: 691, found: 'a clock that was set back stopped every wait and limit for as long as it had jumped' },
  { seed: 748, found: 'a clock that was set back paid for a pod only until before its release' },
  { seed: 965, found: 'as seed 588, with a key that was refused in between' },
  { seed: 982, found: 'a young pod that lagged replicas left out twice was given up' },
  { seed: 1689, found: 'a pod that listings had left out went by itself: paid for only until the first of them' },
  { seed: 1981, found: 'a creation asked for again by an engine that died was waited for only from its first request' },
  { seed: 2067, found: 'the last words of a pod were replaced by those of another one of its name' },
  { seed: 3691, found: 'a pod started by hand after the end of its run stays, and must not be called forgotten' },
  { seed: 5069, found: 'a clock set back while the machine slept hid some seconds of a meter: not ours to know' },
  {
    seed: 5873,
    found: 'an engine that died after the last step against a stuck job: the next one waited and took it again',
  },
  { seed: 5391, found: 'absences before and after listings that were unknown were taken for one long absence' },
  {
    seed: 19141,
    found: 'an engine was idle beside a kept pod before its twin, made by a request without an answer, was listed',
  },
  { seed: 20057, found: 'the meter of a kept pod, read with a clock that was set back' },
  { seed: 39089, found: 'absences before and after the machine slept were taken for one long absence' },
  {
    seed: 116663,
    found: 'a pod ended itself when its owner had just died and the world did not know: not ours to see',
  },
  {
    seed: 208484,
    found: 'a pod that had saved its outputs was told to stop before anybody looked for them: they were made again',
  },
  { seed: 52002, found: 'a job whose GPU worked unseen over a new link was taken for stuck' },
]
