/** The page of the broken peers and the cases that find them, generated from the source. */

import { type Faults, faultsOf } from "./broken_faults.ts";

/** Where it is. */
export const FAULTS_PAGE = "docs/reference/check_faults.md";

function rows(side: "server" | "client"): string[] {
  return Object.entries(faultsOf(side)).flatMap(([verdict, faults]) =>
    Object.entries<Faults[string]>(faults).map(([, [does, id]]) =>
      `| ${does} | \`${id}\` | ${verdict} |`
    )
  );
}

/** The page's text. */
export function faultsPage(): string {
  const [servers, clients] = [rows("server"), rows("client")];
  const table = (list: readonly string[]): string =>
    ["| The peer … | Case that finds it | Verdict |", "| --- | --- | --- |", ...list].join("\n");
  return `<!-- deno-fmt-ignore-file -->

# Faults that \`./check\` finds

The tests of \`./check\` have a small server and a small client that follow RFC 6455 and RFC 7692. A test gives one of them
a single fault, and runs the checks. Each fault is one row: the named [case](check_cases.md) has the named verdict. Other
cases may find the fault as well. Without a fault, the same peers are "ok" in all of these cases. There are ${servers.length} broken
servers and ${clients.length} broken clients.

\`deno task check_cases --write\` writes this page from \`tests/check/broken_faults.ts\`.

## Servers

${table(servers)}

## Clients

${table(clients)}
`;
}
