// Exit codes of every command: a promise that scripts rely on.

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  operator: 3,
  budget: 4,
  capacity: 5,
  billing: 6,
  bug: 70,
  interrupted: 130,
} as const
