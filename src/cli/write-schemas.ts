// Writes config/*.schema.json from the zod schemas, for editors: `node src/cli/write-schemas.ts`. A test keeps them in step.
import { writeFile } from 'node:fs/promises'
import { settingsSchema } from '../edge/config.ts'
import { jsonSchemaOf } from '../edge/jobdir.ts'

const folder = new URL('../../config/', import.meta.url)

const schemas = { job: jsonSchemaOf('job'), template: jsonSchemaOf('template'), config: settingsSchema() }
for (const [what, schema] of Object.entries(schemas)) {
  await writeFile(new URL(`${what}.schema.json`, folder), `${JSON.stringify(schema, null, 2)}\n`)
}
