import { CLIENT_CASES } from "./cases/client_cases.ts";
import { SERVER_CASES } from "./cases/server_cases.ts";
import { malformedOption } from "../stream_channel/options.ts";
import type { CaseInfo, CheckedSide } from "./report.ts";

/**
 * Lists all cases for a side: what each sends, what it allows, and why.
 *
 * @param side `"server"` for those of `checkServer`, `"client"` for those of `checkClient`.
 * @returns A new list, in the order of the reports.
 * @throws {TypeError} When the side is neither.
 *
 * @example
 * ```ts
 * import { listCases } from "@web-socket/channel/check";
 *
 * const [first] = listCases("server").filter(({ id }) => id.startsWith("ping/"));
 * console.log(first?.title); // an empty Ping
 * ```
 */
export function listCases(side: CheckedSide): CaseInfo[] {
  if (side !== "server" && side !== "client") throw malformedOption("side", '"server" or "client"');
  const all: readonly CaseInfo[] = side === "server" ? SERVER_CASES : CLIENT_CASES;
  return all.map(({ id, title, section, sends, allows, why, isVariant }) => ({
    id,
    title,
    section,
    sends,
    allows,
    why,
    isVariant,
  }));
}
