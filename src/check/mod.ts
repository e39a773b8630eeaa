/**
 * Checks any WebSocket server or client against RFC 6455 and RFC 7692, on Node, Deno and Bun. Each of the more than 700
 * cases is a short exchange of bytes, and gets a verdict.
 *
 * @module
 */

export { checkClient } from "./check_client.ts";
export { checkServer } from "./check_server.ts";
export { listCases } from "./list_cases.ts";
export { reportHtml } from "./report_html.ts";
export {
  type CaseInfo,
  type CaseResult,
  type CheckClientOptions,
  type CheckedSide,
  type CheckOptions,
  type CheckProgress,
  type CheckServerOptions,
  type Report,
  type Verdict,
  VERDICTS,
  type WantedConnection,
} from "./report.ts";
