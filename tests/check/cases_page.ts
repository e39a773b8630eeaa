/** The page of all cases, generated from the source. */

import { type CaseInfo, listCases } from "../../src/check/mod.ts";

/** Where it is. */
export const CASES_PAGE = "docs/reference/check_cases.md";

const FAMILIES: Readonly<Record<string, string>> = {
  handshake: "opening handshakes, for servers",
  request: "the request, for clients",
  answer: "the answer to the request, for clients",
  mask: "masks",
  message: "messages of one frame",
  pieces: "pieces of TCP",
  length: "the length of a frame",
  rsv: "reserved bits",
  opcode: "reserved opcodes",
  fragment: "fragmented messages",
  ping: "Pings",
  pong: "Pongs",
  close: "closing",
  end: "the end of TCP",
  utf8: "text",
  deflate: "compression",
  large: "large messages",
  many: "many messages",
};

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("<", "&lt;");

/** A list of steps. Of a long list it leaves out the middle. */
function steps(all: readonly string[]): string {
  const shown = all.length > 6 ? [...all.slice(0, 3), "…", ...all.slice(-2)] : all;
  return cell(shown.join(" ⏎ "));
}

function row({ id, title, section, sends, allows, why }: CaseInfo, sides: string): string {
  const sent = sends.length === 0 || sends.join().includes(title)
    ? cell(title)
    : `${cell(title)}: ${steps(sends)}`;
  return `| \`${id}\` | ${sides} | ${sent} | ${steps(allows)} | ${cell(why)} ${section} |`;
}

/** The page's text. */
export function casesPage(): string {
  const [servers, clients] = [listCases("server"), listCases("client")];
  const ids = {
    server: new Set(servers.map((it) => it.id)),
    client: new Set(clients.map((it) => it.id)),
  };
  const all = [...servers, ...clients.filter(({ id }) => !ids.server.has(id))];
  const distinct = (cases: readonly CaseInfo[]): number =>
    cases.filter((it) => !it.isVariant).length;
  const sidesOf = (id: string): string =>
    [...ids.server.has(id) ? ["server"] : [], ...ids.client.has(id) ? ["client"] : []].join(", ");
  const sections = Object.entries(FAMILIES).map(([family, title]) => {
    const its = all.filter(({ id }) => id.startsWith(`${family}/`));
    return [
      `## \`${family}/\`: ${title}`,
      "",
      "| Case | Side | What is sent | What is allowed | Why |",
      "| --- | --- | --- | --- | --- |",
      ...its.map((it) => row(it, sidesOf(it.id))),
      "",
    ].join("\n");
  });
  return `<!-- deno-fmt-ignore-file -->

# The cases of \`./check\`

\`deno task check_cases --write\` writes this page from the source. There are ${servers.length} cases for servers and
${clients.length} for clients. Many differ from another case only by a size or a parameter: without these, there are
${distinct(servers)} for servers and ${
    distinct(clients)
  } for clients. \`⏎\` separates steps. Allowed behaviour is "ok", unless the table names
another verdict; all other behaviour has failed.

${sections.join("\n")}`;
}
