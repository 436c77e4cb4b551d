// Every waiting time and bound of the engine, in one place, each with its reason. Settings may change them.

export type Limits = {
  /** From the request to a usable pod. Cached images take 15–80 s, 50 GB images up to 15 min (reports, 2026). */
  bootMs: number
  /** How long jobs wait in line when no offer is left. */
  capacityWaitMs: number
  /** A refused combination of GPU type, cloud and region is not asked again sooner; doubles with each refusal in a row. */
  capacityPauseMs: number
  /** The longest of these pauses: several fit into the time that jobs wait, and what comes back is noticed. */
  capacityPauseMaxMs: number
  /** Offers older than this are asked for again before they are used: prices and stock move. */
  offersFreshMs: number
  /** Pods in a row that never came up, beyond one for each place: then the rest of the run is not tried on more of them. */
  bootFailuresMax: number
  /** A link that stays away this long is a dead pod. */
  linkLostMs: number
  /** A pod that nobody renews for so long ends itself: longer than a restart or a change of networks, short enough to be cheap. */
  leaseMs: number
  /** A bucket that did not let leases of pods that are gone be removed is asked again so seldom: they cost next to nothing. */
  sweepRetryMs: number
  /** Longest life of a pod, whoever renews; a batch goes on on the next one. */
  deadlineMs: number
  /** What a pod that ends itself saves is waited for; outputs of some GB take a minute or two to the bucket. */
  farewellMs: number
  /** Tries of one job for faults that have nothing to do with it (reset, time-out). */
  transientTries: number
  /** Pause before the next try after such a fault; doubles each time. */
  backoffMs: number
  /** Larger cards that a job out of memory goes on to. Each is dearer, and what a second one cannot hold is seldom a little too large. */
  biggerGpusMax: number
  /** A host that failed is not used again for so long: its owner has had a day to look at it. */
  hostAvoidMs: number
  /**
   * Fresh pods in a row that are given back because they lie on such a host. RunPod cannot be told to leave one out and often has no
   * other free: each costs some seconds of the meter, and a host may have been mended.
   */
  hostAvoidTries: number
  /** A cancelled prompt that does not stop within this makes its pod broken: it must not be reused. */
  cancelMs: number
  /** Three signs of life silent for so long: people are told. Model loads from cold network disks are silent for two to three minutes. */
  stuckWarnMs: number
  /** Silent for so long: something is done, one step after the other. Also how long a person's `wait` lasts. */
  stuckActMs: number
  /** The same while the GPU works, or nobody can see it: decoding a long film is silent for ten minutes and more. */
  stuckBusyActMs: number
  /** How often a silent attempt is looked at: a command and a request each time. */
  stuckLookMs: number
  /** ComfyUI with many custom nodes takes a minute or two from its start until it answers. */
  comfyStartMs: number
  /** A pod that was in use refuses connections to ComfyUI's port: images that start it again have done so within half of this. */
  comfyGoneMs: number
  /** GPU samples. */
  sampleMs: number
  /** From the wish to end a pod to the proof that it is gone; money for it is kept back. RunPod needs 30–60 s, two minutes are called slow. */
  teardownMs: number
  /** An order without an answer can be ended only once it is answered or looked up; money for that is kept back, too. */
  orderMs: number
  /** How long a boot is taken to be while none has been seen at the provider. */
  bootGuessMs: number
  /** How long a job is taken to be while none of its template has been seen. */
  jobGuessMs: number
  /** Less time than this at a job is not worth starting it. */
  tryMs: number
  /** The account's balance moves slowly and costs a request of its own. */
  balanceEveryMs: number
  /** A balance that lasts for less is told: time enough for a person to add to it. */
  runwayLowMs: number
  /** For less, nothing new starts: what runs is mostly over by then. */
  runwayShortMs: number
  /** For less, what still runs is cut. More than `balanceEveryMs` and `teardownMs` together, so that no pod meets the end. */
  runwayOutMs: number
  /**
   * A journal that takes no facts is tried again for so long, then the engine ends and pods are left to their leases: less than
   * `teardownMs`, for which money is kept back, so that no cap is passed while nobody decides.
   */
  journalWaitMs: number
  /** How often it is tried: each try is a write of a few bytes. */
  journalRetryMs: number
  /** How soon a command of another process, or a moment that was waited for, is noticed. */
  listenMs: number
}

export const DEFAULT_LIMITS: Limits = {
  bootMs: 15 * 60_000,
  capacityWaitMs: 15 * 60_000,
  capacityPauseMs: 60_000,
  capacityPauseMaxMs: 5 * 60_000,
  offersFreshMs: 30_000,
  bootFailuresMax: 3,
  linkLostMs: 3 * 60_000,
  leaseMs: 10 * 60_000,
  sweepRetryMs: 5 * 60_000,
  deadlineMs: 24 * 3_600_000,
  farewellMs: 5 * 60_000,
  transientTries: 4,
  backoffMs: 2_000,
  biggerGpusMax: 2,
  hostAvoidMs: 24 * 3_600_000,
  hostAvoidTries: 3,
  cancelMs: 20_000,
  stuckWarnMs: 5 * 60_000,
  stuckActMs: 10 * 60_000,
  stuckBusyActMs: 30 * 60_000,
  stuckLookMs: 30_000,
  comfyStartMs: 3 * 60_000,
  comfyGoneMs: 45_000,
  sampleMs: 5_000,
  teardownMs: 2 * 60_000,
  orderMs: 90_000,
  bootGuessMs: 3 * 60_000,
  jobGuessMs: 10 * 60_000,
  tryMs: 60_000,
  balanceEveryMs: 60_000,
  runwayLowMs: 60 * 60_000,
  runwayShortMs: 15 * 60_000,
  runwayOutMs: 4 * 60_000,
  journalWaitMs: 60_000,
  journalRetryMs: 1_000,
  listenMs: 200,
}
