/** Hold recorded answers (a file of JSON, one `{operation, status, validator, body}` each) against the
 * validators that hey-api made of the OpenAPI document, and print what does not fit. */

import { readFileSync } from "node:fs";

import * as validators from "./built/client/zod.gen.js";

for (const { operation, status, validator, body } of JSON.parse(
  readFileSync(process.argv[2], "utf8"),
)) {
  // Of an answer that never has a body hey-api makes no validator.
  if (!(validator in validators) && body === null) continue;
  const result = validators[validator].safeParse(body ?? undefined);
  if (!result.success) {
    console.log(`${operation}, ${status}: ${JSON.stringify(result.error.issues)}`);
  }
}
