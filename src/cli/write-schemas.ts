// Writes config/*.schema.json from the zod schemas, for editors, and the README's keys from the key table: `npm run schemas`. Tests keep
// them in step.
import { readFile, writeFile } from 'node:fs/promises'
import { settingsSchema } from '../edge/config.ts'
import { jsonSchemaOf } from '../edge/jobdir.ts'
import { withKeys } from '../tui/manual.ts'

const folder = new URL('../../config/', import.meta.url)

const schemas = { job: jsonSchemaOf('job'), template: jsonSchemaOf('template'), config: settingsSchema() }
for (const [what, schema] of Object.entries(schemas)) {
  await writeFile(new URL(`${what}.schema.json`, folder), `${JSON.stringify(schema, null, 2)}\n`)
}

const readme = new URL('../../README.md', import.meta.url)
await writeFile(readme, withKeys(await readFile(readme, 'utf8')))
