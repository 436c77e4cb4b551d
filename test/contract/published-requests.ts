// RunPod's published specification as a judge of what a client asks: path, method, query, headers and body of each request.
// The specification is RunPod's file, beside the checkout and not part of this repository; without it nobody judges.
import { readFile } from 'node:fs/promises'
import { Ajv2020, type AnySchema } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

type Parameter = { $ref?: string; name: string; in: string; required?: boolean; schema?: object; explode?: boolean }
type Operation = { parameters?: Parameter[]; requestBody?: { content: Record<string, unknown> } }
type Spec = {
  paths: Record<string, Record<string, Operation> & { parameters?: Parameter[] }>
  components: { parameters: Record<string, Parameter> }
}
export type Asked = { method: string; url: string; body: string }

const path = new URL('../../../shared/contracts/runpod-v2.openapi.json', import.meta.url)
const spec = await readFile(path, 'utf8').then(
  text => JSON.parse(text) as Spec,
  () => null,
)

/** What is wrong with a request by the specification, in words; null without the specification. */
export const complaintOf = spec && judge(spec)

function judge(document: Spec): (asked: Asked) => string | null {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false, coerceTypes: 'array' })
  addFormats.default(ajv)
  ajv.addSchema({ ...document, $id: 'spec' } as AnySchema)
  const paths = Object.keys(document.paths).sort((a, b) => a.split('{').length - b.split('{').length)
  const valid = (schema: object, value: unknown) => {
    // Coercion writes into its parent: query values are text on the wire, bodies must have their types already.
    const check = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"spec#/')))
    return check(value) ? null : ajv.errorsText(check.errors)
  }
  const strict = new Ajv2020({ strict: false, allErrors: true, validateSchema: false })
  addFormats.default(strict)
  strict.addSchema({ ...document, $id: 'spec' } as AnySchema)
  return ({ method, url, body }) => {
    const { pathname, searchParams } = new URL(url, 'http://runpod')
    const template = paths.find(one => new RegExp(`^${one.replace(/\{\w+\}/g, '[^/]+')}$`).test(pathname))
    const operation = template && document.paths[template]?.[method.toLowerCase()]
    if (!template || !operation) return `${method} ${pathname} is not in the specification`
    const declared = [...(document.paths[template]?.parameters ?? []), ...(operation.parameters ?? [])].map(one =>
      one.$ref ? (document.components.parameters[one.$ref.split('/').at(-1) ?? ''] as Parameter) : one,
    )
    const query = new Map(declared.filter(one => one.in === 'query').map(one => [one.name, one]))
    for (const [name, text] of searchParams) {
      // Later versions of the specification page the list of pods, by a cursor that only an answer can give.
      if (name === 'cursor' && template === '/v2/pods') continue
      const parameter = query.get(name)
      if (!parameter) return `${method} ${template} has no query parameter ${name}`
      const value = parameter.explode === false ? text.split(',') : text
      const wrong = valid({ type: 'object', properties: { value: parameter.schema } }, { value })
      if (wrong) return `${method} ${template}?${name}=${text}: ${wrong}`
    }
    const content = operation.requestBody?.content
    if (!content) return body === '' ? null : `${method} ${template} takes no body`
    const escaped = template.replaceAll('~', '~0').replaceAll('/', '~1')
    const pointer = `spec#/paths/${encodeURI(escaped)}/${method.toLowerCase()}/requestBody/content/application~1json/schema`
    const check = strict.compile({ $ref: pointer })
    return check(JSON.parse(body)) ? null : `${method} ${template}: ${strict.errorsText(check.errors)} in ${body}`
  }
}
