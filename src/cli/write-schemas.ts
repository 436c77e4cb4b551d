// Writes config/*.schema.json from the zod schemas, for editors: `node src/cli/write-schemas.ts`. A test keeps them in step.
import { writeFile } from 'node:fs/promises'
import { jsonSchemaOf } from '../edge/jobdir.ts'

const folder = new URL('../../config/', import.meta.url)

for (const what of ['job', 'template'] as const) {
  await writeFile(new URL(`${what}.schema.json`, folder), `${JSON.stringify(jsonSchemaOf(what), null, 2)}\n`)
}
