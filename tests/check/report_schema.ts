/** The format of reports, for the documented JSON schema. */

import { z } from "zod";
import type { Report } from "../../src/check/mod.ts";

/** Where the schema is. */
export const SCHEMA_FILE = "docs/assets/check/report.schema.json";

const verdict = z.enum(["ok", "informational", "non-strict", "unimplemented", "failed"]);
const count = z.int().min(0);

const result = z.strictObject({
  id: z.string().describe("The name of the case, its family first: ping/payload-125."),
  title: z.string().describe("What the case is about, one line."),
  section: z.string().describe("Where the rule is: RFC 6455 §5.5.2."),
  verdict: verdict.describe("What the case shows."),
  note: z.string().describe("What the peer did that led to the verdict; may be empty."),
  duration: z.number().min(0).describe("Milliseconds."),
  transcript: z.array(z.string()).describe("What was sent (>) and received (<)."),
});

/** A report. */
export const reportSchema: z.ZodType<Report> = z.strictObject({
  schema: z.literal(1).describe("The version of this format."),
  side: z.enum(["server", "client"]).describe("Which side was checked."),
  subject: z.string().describe("The name of what was checked."),
  started: z.iso.datetime().describe("When the run began, in UTC."),
  duration: count.describe("Milliseconds."),
  isComplete: z.boolean().describe("Whether all chosen cases were run."),
  counts: z.strictObject({
    "ok": count,
    "informational": count,
    "non-strict": count,
    "unimplemented": count,
    "failed": count,
  }).describe("How many results have each verdict."),
  results: z.array(result).describe(
    "One for each case that was run, in the order of the list of cases.",
  ),
});

/** The schema as it is documented. */
export function schemaText(): string {
  return `${JSON.stringify(z.toJSONSchema(reportSchema), null, 2)}\n`;
}
