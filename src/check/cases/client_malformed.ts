/** Cases of answers that are malformed, refuse the upgrade or are cut off, for clients. RFC 9110 and RFC 9112. */

import { hex, utf8 } from "../bytes.ts";
import type { Case } from "../case.ts";
import { answerCase, bytesAnswer, failsOpening, may, type Reaction } from "../client_case.ts";
import type { ClientSubject } from "../client_subject.ts";
import { all, type Edit, plus, same } from "../edits.ts";
import { text } from "../frames.ts";
import { worksAgain } from "../steps.ts";
import { MALFORMED_HEADS, type MalformedHead } from "./heads.ts";

type ClientCase = Case<ClientSubject>;

const S41 = "RFC 6455 §4.1";
const first = (line: string): Edit => ({ fields }) => ({ line, fields });
const STATUSES: readonly (readonly [
  status: number,
  phrase: string,
  fields: readonly (readonly [string, string])[],
])[] = [
  [200, "OK", []],
  [204, "No Content", []],
  [301, "Moved Permanently", [["Location", "/elsewhere"]]],
  [302, "Found", [["Location", "/elsewhere"]]],
  [304, "Not Modified", []],
  [307, "Temporary Redirect", [["Location", "/elsewhere"]]],
  [308, "Permanent Redirect", [["Location", "/elsewhere"]]],
  [400, "Bad Request", []],
  [401, "Unauthorized", [["WWW-Authenticate", 'Basic realm="x"']]],
  [403, "Forbidden", []],
  [404, "Not Found", []],
  [407, "Proxy Authentication Required", [["Proxy-Authenticate", 'Basic realm="x"']]],
  [426, "Upgrade Required", [["Sec-WebSocket-Version", "13"]]],
  [429, "Too Many Requests", [["Retry-After", "1"]]],
  [500, "Internal Server Error", []],
  [503, "Service Unavailable", [["Retry-After", "1"]]],
  [999, "Nonsense", []],
];

/** Another status, with all the fields of a correct answer. */
function statuses(): ClientCase[] {
  return [
    ...STATUSES.map(([status, phrase, fields]) =>
      answerCase(
        `status-${status}`,
        `${status} ${phrase} with the fields of a 101`,
        S41,
        "Only 101 opens the connection.",
        all(
          first(`HTTP/1.1 ${status} ${phrase}`),
          ...fields.map(([name, value]) => plus(name, value)),
          plus("Content-Length", "0"),
        ),
        failsOpening({ endsTcp: true }),
        { isVariant: ![200, 301, 401].includes(status) },
      )
    ),
    ...[[100, "Continue"], [102, "Processing"], [103, "Early Hints"]].map(([status, phrase]) =>
      answerCase(
        `interim-${status}`,
        `${status} ${phrase}, then a correct answer`,
        "RFC 9110 §15.2",
        "A client must be able to parse answers of 1xx before the final one.",
        same,
        may("it skips the interim answer", "it refuses an interim answer", "non-strict"),
        { before: `HTTP/1.1 ${status} ${phrase}\r\n\r\n`, isVariant: status !== 100 },
      )
    ),
    answerCase(
      "interim-1000",
      "1,000 interim answers, then a correct one",
      "RFC 9110 §15.2",
      "There should be a limit; either way it goes on.",
      same,
      may("it skips 1,000 interim answers", "it refuses 1,000 interim answers"),
      { before: "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000) },
    ),
    bytesAnswer(
      "body-404",
      "404 with a body that is a text frame",
      S41,
      "A body isn't a frame.",
      (_good, peer) =>
        new Uint8Array([
          ...utf8("HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\n"),
          ...peer.encode([text("Hello")]),
        ]),
      failsOpening({ endsTcp: true }),
    ),
    bytesAnswer(
      "body-endless",
      "200 with a body that doesn't end",
      S41,
      "A body without an end must not hold the client.",
      () => `HTTP/1.1 200 OK\r\n\r\n${"x".repeat(100_000)}`,
      failsOpening({ endsTcp: true }),
    ),
  ];
}

/** What is no HTTP, or malformed, or too much. */
function malformed(): ClientCase[] {
  const ended = failsOpening({ endsTcp: true });
  const no = (
    id: string,
    title: string,
    section: string,
    why: string,
    bytes: (good: string) => string | Uint8Array,
    reaction: Reaction = ended,
    isVariant = false,
  ): ClientCase => bytesAnswer(id, title, section, why, bytes, reaction, { isVariant });
  const soft = (why: string, accepted: "ok" | "informational" | "non-strict"): Reaction =>
    failsOpening({ accepted, why, endsTcp: true });
  const insert = (line: string) => (it: string): string =>
    it.replace("Upgrade: w", `${line}\r\nUpgrade: w`);
  const MALFORMED: readonly (readonly [id: string, why: string, reaction: Reaction])[] = [
    [
      "blank-before-colon",
      "A server must refuse it; a client may remove it.",
      soft("it takes a blank before a colon", "informational"),
    ],
    [
      "obs-fold",
      "A client must take the fold for blanks; it may refuse it.",
      soft("it takes the fold for blanks", "ok"),
    ],
    ["no-colon", "It is no field.", soft("it ignores a line without a colon", "non-strict")],
    ["empty-name", "A name is a token.", soft("it takes a field without a name", "non-strict")],
    [
      "nul-in-value",
      "It must be refused, or taken for a blank.",
      soft("it takes a NUL in a value", "non-strict"),
    ],
    [
      "cr-in-value",
      "It must be refused, or taken for a blank.",
      soft("it takes a bare CR in a value", "non-strict"),
    ],
  ];
  return [
    ...MALFORMED.map(([id, why, reaction]) => {
      const [title, section, change] = MALFORMED_HEADS[id] as MalformedHead;
      return no(id, title, section, why, change, reaction);
    }),
    no(
      "junk",
      "a line that isn't HTTP",
      "RFC 9112 §4",
      "It is no answer.",
      () => "Hello, who is there?\r\n\r\n",
    ),
    no(
      "junk-binary",
      "bytes that aren't HTTP",
      "RFC 9112 §4",
      "It is no answer.",
      () => hex("00 01 02 03 fe ff 0d 0a 0d 0a"),
    ),
    no(
      "frame",
      "a frame in place of an answer",
      S41,
      "There is no connection before the handshake.",
      () => hex("81 05 48 65 6c 6c 6f 0d 0a 0d 0a"),
    ),
    no("tls", "a TLS alert", "RFC 9112 §4", "It is no answer.", () => hex("15 03 01 00 02 02 28")),
    no(
      "http-2",
      "a frame of HTTP/2",
      "RFC 9112 §4",
      "It is no answer.",
      () => hex("00 00 00 04 00 00 00 00 00"),
    ),
    no(
      "ssh",
      "the greeting of SSH",
      "RFC 9112 §4",
      "It is no answer.",
      () => "SSH-2.0-OpenSSH_9.2\r\n",
      ended,
      true,
    ),
    no("nothing", "the end of TCP in place of an answer", S41, "It is no answer.", () => ""),
    no(
      "half",
      "half an answer, then the end of TCP",
      "RFC 9112 §8",
      "An answer that isn't complete opens nothing.",
      (it) => it.slice(0, 60),
    ),
    no(
      "no-empty-line",
      "an answer without its last empty line, then the end of TCP",
      "RFC 9112 §8",
      "An answer that isn't complete opens nothing.",
      (it) => it.slice(0, -2),
    ),
    no(
      "lf-only",
      "lines that end with LF alone",
      "RFC 9112 §2.2",
      "A recipient may take LF for a line's end.",
      (it) => it.replaceAll("\r\n", "\n"),
      soft("it takes LF for a line's end", "ok"),
    ),
    no(
      "status-line-1-mib",
      "a status line of 1 MiB",
      "RFC 6455 §10.4",
      "There must be a limit, or memory.",
      () => `HTTP/1.1 101 ${"x".repeat(1 << 20)}`,
    ),
    no(
      "field-1-mib",
      "a field of 1 MiB",
      "RFC 6455 §10.4",
      "There must be a limit, or memory.",
      insert(`X: ${"x".repeat(1 << 20)}`),
      soft("it takes a field of 1 MiB", "informational"),
    ),
    no(
      "fields-10000",
      "10,000 fields",
      "RFC 6455 §10.4",
      "There must be a limit, or memory.",
      insert(Array.from({ length: 10_000 }, (_, i) => `X-${i}: x`).join("\r\n")),
      soft("it takes 10,000 fields", "informational"),
    ),
    no(
      "content-length",
      "Content-Length in a 101",
      "RFC 9110 §8.6",
      "A server must not send it with 1xx.",
      insert("Content-Length: 5"),
      soft("it ignores Content-Length in a 101", "ok"),
    ),
    no(
      "chunked",
      "Transfer-Encoding in a 101",
      "RFC 9112 §6.1",
      "A server must not send it with 1xx.",
      insert("Transfer-Encoding: chunked"),
      soft("it ignores Transfer-Encoding in a 101", "ok"),
    ),
    no(
      "empty-line-first",
      "an empty line before the answer",
      "RFC 9112 §2.2",
      "Only servers are asked to ignore it.",
      (it) => `\r\n${it}`,
      soft("it ignores an empty line", "ok"),
    ),
  ];
}

/** A server that leaves during the handshake. */
function leaving(): ClientCase[] {
  const why = "A server may leave at any time; the client goes on, and its next connection works.";
  const at = (id: string, title: string, bytes: (good: string) => string): ClientCase =>
    bytesAnswer(`reset-${id}`, `a reset of TCP ${title}`, "RFC 6455 §7.1.5", why, bytes, {
      allows: ["another connection works"],
      async check(subject, { wire }) {
        subject.transcript.push("> reset of TCP");
        await wire.reset();
        await worksAgain(subject);
      },
    }, { connections: 2 });
  return [
    at("request", "in place of an answer", () => ""),
    at("half", "inside the answer", (it) => it.slice(0, 60)),
    at("answered", "right behind the answer", (it) => it),
  ];
}

/** All of this file. */
export const MALFORMED_ANSWER_CASES: readonly ClientCase[] = [
  ...statuses(),
  ...leaving(),
  ...malformed(),
];
