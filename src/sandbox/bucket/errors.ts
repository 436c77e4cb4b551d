// Refusals of the S3 server: what is thrown inside, and the XML that goes out.
import { element, xmlDocument } from './xml.ts'

export type Refusal = { status: number; code: string; message: string; headers: Record<string, string> }
type Refused = Error & { refusal: Refusal }

/** An error that the server answers with this status and code; anything else that is thrown becomes a 500. */
export function refusal(status: number, code: string, message: string, headers: Record<string, string> = {}): Refused {
  return Object.assign(new Error(`${code}: ${message}`), { refusal: { status, code, message, headers } })
}

export function refusalOf(error: unknown): Refusal {
  if (error instanceof Error && 'refusal' in error) return (error as Refused).refusal
  const message = 'We encountered an internal error. Please try again.'
  return { status: 500, code: 'InternalError', message, headers: {} }
}

export function refusalXml({ code, message }: Refusal, resource: string, requestId: string): string {
  return xmlDocument('Error', [
    element('Code', code),
    element('Message', message),
    element('Resource', resource),
    element('RequestId', requestId),
  ])
}

export const noSuchKey = () => refusal(404, 'NoSuchKey', 'The specified key does not exist.')
export const noSuchBucket = () => refusal(404, 'NoSuchBucket', 'The specified bucket does not exist.')
export const noSuchUpload = () => refusal(404, 'NoSuchUpload', 'The specified multipart upload does not exist.')
export const invalidArgument = (message: string) => refusal(400, 'InvalidArgument', message)
export const malformedXml = () =>
  refusal(
    400,
    'MalformedXML',
    'The XML you provided was not well formed or did not validate against our published schema.',
  )
export const notImplemented = (what: string) => refusal(501, 'NotImplemented', `${what} not implemented`)
export const preconditionFailed = () =>
  refusal(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold.')
