// What may go wrong in a simulated world.

/** Probabilities for each occasion; all 0 = good weather. */
export type Weather = {
  /** A creation answers with a fault although the pod was made. */
  createUnclear: number
  /** A creation gives no answer for a long time, then a fault; whether or not a pod was made. */
  createHangs: number
  /** A creation fails and makes nothing. */
  createFails: number
  /** A creation is refused: nothing left of this kind. */
  capacity: number
  /** A creation is refused because of the account. */
  operator: number
  /** The catalogue does not answer, or has nothing. */
  offersFail: number
  /** A pod's price is not the one that was offered. */
  priceMoves: number
  /** A listing fails, or is unknown. */
  listFails: number
  /** A listing is long on its way: it tells what was so when it left. */
  listLags: number
  /** A direct look fails. */
  lookFails: number
  /** A fresh pod answers 404 for as long as listings lack it. */
  fresh404: number
  /** A destroy fails, is accepted and forgotten, or is done and not answered. */
  destroyFails: number
  /** A stop or a start fails, or is accepted and forgotten. */
  pauseFails: number
  /** A pod is left out for a moment by a listing that calls itself complete, and by a direct look: replicas that lag. */
  omits: number
  /** A pod never comes up: it is never placed, has no address, or its ComfyUI never answers. */
  stillborn: number
  /** A pod lands on the one host whose pods show no GPU or whose driver fails. */
  badHost: number
  /** A pod has no GPU. */
  gpuless: number
  /** A pod goes some time after it was made: its host dies, or somebody who pays more takes it. */
  vanishes: number
  /** Of these, how many are stopped, not ended. */
  preempted: number
  /** A connection is lost some time after it was made. */
  linkLost: number
  /** A connection is refused, or not answered. */
  connectFails: number
  /** The host key is another one. */
  keyChanges: number
  /** The preferred local port is taken by another program. */
  portTaken: number
  /** The executor fails the attempt with a fault of each of these kinds. */
  podFault: number
  transientFault: number
  jobFault: number
  /** A job needs more memory than the smallest card has; how much more is chance. */
  hungry: number
  /** A prompt that ran leaves something in the card's memory. */
  leaks: number
  /** A job takes down ComfyUI wherever it runs. */
  poison: number
  operatorFault: number
  /** ComfyUI starts again in the middle and has forgotten its queue. */
  forgets: number
  /** ComfyUI never ends a prompt. */
  hangs: number
  /** Of these, how many do not react to an interrupt; and of these again, how many do not react to a restart of ComfyUI. */
  deaf: number
  /** ComfyUI ends in the middle and stays away until somebody starts it. */
  crashes: number
  /** A prompt takes its time, and shows some signs of life only. */
  slow: number
  /** A connection has no nvidia-smi. */
  blind: number
  /** A prompt is never said to have started. */
  silent: number
  /** A cancelled prompt does not stop. */
  cancelIgnored: number
  publishFails: number
  /** A renewal of a lease over SSH fails, or the agent cannot be set up. */
  renewFails: number
  /** A renewal through the bucket fails. */
  bucketLeaseFails: number
}

export const GOOD_WEATHER: Weather = {
  createUnclear: 0,
  createHangs: 0,
  createFails: 0,
  capacity: 0,
  operator: 0,
  offersFail: 0,
  priceMoves: 0,
  listFails: 0,
  listLags: 0,
  lookFails: 0,
  fresh404: 0,
  destroyFails: 0,
  pauseFails: 0,
  omits: 0,
  stillborn: 0,
  badHost: 0,
  gpuless: 0,
  vanishes: 0,
  preempted: 0,
  linkLost: 0,
  connectFails: 0,
  keyChanges: 0,
  portTaken: 0,
  podFault: 0,
  transientFault: 0,
  jobFault: 0,
  hungry: 0,
  leaks: 0,
  poison: 0,
  operatorFault: 0,
  forgets: 0,
  hangs: 0,
  deaf: 0,
  crashes: 0,
  slow: 0,
  blind: 0,
  silent: 0,
  cancelIgnored: 0,
  publishFails: 0,
  renewFails: 0,
  bucketLeaseFails: 0,
}
