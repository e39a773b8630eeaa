/** docs/reference/errors.md has a line for each error, each line is correct, and no line is superfluous. */
// Deno only: it reads the project's files

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { readText } from "../support/sources.ts";
import { PROVOKED } from "./provoked.ts";
import { errorLines, errorTexts, isAbout, PAGE } from "./texts.ts";

const lines = await errorLines();

/** Texts of the source that need no line of their own, and why. */
const WITHOUT_LINE: Readonly<Record<string, string>> = {
  "Cannot create a handshake: the nonce must have … bytes, got …": "only this package calls that",
  "Cannot encode the Close: a reason needs a code": "the arguments of close are checked before",
  "Cannot encode the Close: the code must be one that can be sent, got …": "the same",
  "Cannot encode the Close: the reason must have at most … bytes, got …": "the same",
  "Cannot send a control frame: its payload must have at most … bytes, got …":
    "the payload is checked before",
  "Cannot decompress a message: it is larger than the limit": "it becomes a LimitError",
  "Cannot decompress a message: its payload is not DEFLATE": "it becomes a ProtocolError",
  "No address": "a server that listens has one",
  "error": "the type of an event",
  "Cannot create a virtual channel: no id is left": "after more channels than a program can open",
  "There is no …": "only this package asks",
  "Cannot connect: the attempt was given up": "the channel has ended with an error of its own",
  "Cannot send the start line …: it must be printable ASCII":
    "what is put into it is checked before",
  "Cannot connect to …: malformed request line": "on a server: the client gets a 400",
  "Cannot use its answer: it must be an Error or undefined, synchronously, got …":
    "a part of the text about tls.checkServerIdentity",
  "Cannot connect: it took longer than … ms": "without a URL: the line has one",
  "Cannot connect: it took longer than … ms, in phase …": "without a URL: the line has one",
  "Cannot use the option …: it must be …": "its parts have lines",
};

/** Texts that the source builds from parts in other places. */
const COMPOSED: readonly string[] = [
  "Cannot connect to …: …",
  "Cannot connect to …: …: …",
  "Cannot connect to …: the server …",
  "Cannot connect to …: the proxy …: …",
  "Cannot connect to …: the proxy …: it …",
  "Cannot connect to …: the proxy …: it ……",
  "Cannot connect: …",
  "Cannot open a channel: …",
  "Cannot add: …",
  "Cannot receive",
  "Cannot receive: …",
  "Cannot send",
  "The peer broke the protocol: …",
  "Message of … bytes",
  "Message of … compressed bytes",
  "What waits to be read, … bytes,",
  "The peer's input within … ms",
  "… exceeds … (… …)",
];

/** Parts of sentences in the files whose sentences count alone. */
const PARTS: readonly string[] = [
  'To get the cause, connect with transport: "net" or require: ["failureCause"]',
  "the certificate can't be trusted: it has expired, or its authority is not known. ",
  "Set your own authority as tls.ca",
  "the certificate is for another host",
  "Cannot connect to …: …",
  "Cannot connect to …: …: …",
  "; and … more addresses",
  ". If the server's certificate has another name, set it as tls.servername",
  " but for …",
  "failed in phase …",
  "a ws: or wss: URL",
  "the server's name",
  "its user name",
];

function needsLine(text: string): boolean {
  const part = text.replace(/^Cannot connect to …: (the proxy …: )?/, "");
  return !Object.hasOwn(WITHOUT_LINE, text) && !COMPOSED.includes(text) && !PARTS.includes(part);
}

const shownTexts = (await errorTexts()).filter(({ text }) => needsLine(text));

Deno.test("errors page: each error of the source has a line", () => {
  assert(shownTexts.length > 150, `${shownTexts.length}`);
  const without = shownTexts.filter(({ text }) => !lines.some((it) => isAbout(it.text, text)));
  const remedy = `Add them to ${PAGE}, and how to get them to tests/error_texts/provoked.ts`;
  assertEquals(without, [], remedy);
});

Deno.test("errors page: each line has a test and a meaning", () => {
  assertEquals(lines.map(({ text }) => text), Object.keys(PROVOKED));
  assertEquals(lines.filter(({ meaning }) => meaning === ""), []);
});

async function errorOf(provoke: () => unknown): Promise<unknown> {
  try {
    return await provoke();
  } catch (error) {
    return error;
  }
}

for (const { text, name } of lines) {
  Deno.test(`errors page: ${text}`, async () => {
    const way = PROVOKED[text];
    assert(way !== undefined, "no test");
    if (typeof way !== "function") {
      assert((await readText(way.file)).includes(way.part), `${way.file} has no ${way.part}`);
      return;
    }
    const error = await errorOf(way);
    assertInstanceOf(error, Error);
    assert(isAbout(text, error.message), error.message);
    assertEquals(error.name, name);
  });
}
