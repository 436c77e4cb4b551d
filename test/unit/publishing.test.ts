// What a failure of publishing means: again, or the end of the job, with the place where its files lie.
import { expect, test } from 'vitest'
import type { FaultData } from '../../src/domain/fault.ts'
import { publishingEnd } from '../../src/domain/job.ts'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import { ARTIFACT, RUN } from './fleet-story.ts'

const end = (fault: FaultData, times: number) => publishingEnd(fault, times, [ARTIFACT], DEFAULT_LIMITS)
const { transientTries } = DEFAULT_LIMITS

test('a bucket that is away is waited for, however long', () => {
  expect(end({ kind: 'transient', code: 'bucket_unreachable', message: 'no answer' }, 1000)).toBeNull()
})

test('a target that cannot be written ends the job at once, and says where its files lie', () => {
  expect(end({ kind: 'job', code: 'output_exists', message: 'it exists', hint: 'Move it away.' }, 1)).toEqual({
    kind: 'job',
    code: 'output_exists',
    message: `it exists; the result lies in the bucket below out/${RUN}/a/1/`,
    hint: 'Move it away. autopod retry brings it from the bucket, without a pod.',
  })
})

test('what a person must mend ends it after some tries', () => {
  const fault: FaultData = { kind: 'operator', code: 'disk_full', message: 'no room' }
  expect(end(fault, transientTries - 1)).toBeNull()
  expect(end(fault, transientTries)).toMatchObject({ code: 'disk_full' })
})

test('an object that was changed ends it after some tries, with its name and the remedy', () => {
  const fault: FaultData = {
    kind: 'transient',
    code: 'transfer_corrupt',
    message: 'out/r/a/1/x.png arrived with other content',
  }
  expect(end(fault, transientTries - 1)).toBeNull()
  expect(end(fault, transientTries)).toMatchObject({
    kind: 'job',
    code: 'object_changed',
    message: expect.stringContaining('out/r/a/1/x.png arrived with other content'),
    hint: expect.stringContaining('autopod retry'),
  })
})

test('a file that is not in the bucket is not said to lie there', () => {
  const fault: FaultData = { kind: 'job', code: 'object_missing', message: 'it is not in the bucket' }
  expect(end(fault, 1)).toEqual(fault)
})
