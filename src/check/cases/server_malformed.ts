/** Cases of requests that are malformed, too large or cut off, for servers. RFC 9112 and RFC 6455 §10. */

import { hex, utf8 } from "../bytes.ts";
import { type Case, converse, newCase } from "../case.ts";
import { all, type Edit, field, firstLine, plus, same, without } from "../edits.ts";
import { Fault } from "../fault.ts";
import { text } from "../frames.ts";
import { statusOf } from "../http.ts";
import { Peer } from "../peer.ts";
import {
  accepts,
  bytesCase,
  type Expectation,
  handshakeCase,
  refuses,
  refusesAll,
} from "../server_case.ts";
import { KEY, partsText, type ServerSubject } from "../server_subject.ts";
import { back, echo, worksAgain } from "../steps.ts";
import { MALFORMED_HEADS, type MalformedHead } from "./heads.ts";

type ServerCase = Case<ServerSubject>;

const S41 = "RFC 6455 §4.1";
const S421 = "RFC 6455 §4.2.1";

/** RFC 9112: what is malformed as HTTP. */
function malformed(): ServerCase[] {
  const no = (
    id: string,
    title: string,
    section: string,
    why: string,
    edit: Edit,
    expected: Expectation = refuses({ statuses: [400] }),
  ): ServerCase => handshakeCase(id, title, section, why, edit, expected);
  const lines =
    (change: (text: string) => string): (subject: ServerSubject) => Uint8Array => (subject) =>
      Uint8Array.from(change(partsText(subject.request())), (it) => it.charCodeAt(0));
  const bad400 = refuses({ statuses: [400] });
  const soft = (what: string): Expectation =>
    refuses({ statuses: [400], accepted: "non-strict", why: `it accepts ${what}` });
  const may = (why: string): Expectation => refuses({ statuses: [400], accepted: "ok", why });
  const MALFORMED: readonly (readonly [id: string, why: string, expected: Expectation])[] = [
    [
      "blank-before-colon",
      "A server must answer 400: proxies and servers read such fields differently.",
      bad400,
    ],
    [
      "obs-fold",
      "A server must answer 400, or take the fold for blanks.",
      may("it takes the fold for blanks"),
    ],
    ["no-colon", "It is no field.", bad400],
    ["empty-name", "A name is a token.", bad400],
    ["nul-in-value", "A server must refuse it or take a blank for it.", soft("a NUL in a value")],
    [
      "cr-in-value",
      "A server must refuse it or take a blank for it.",
      soft("a bare CR in a value"),
    ],
  ];
  return [
    ...MALFORMED.map(([id, why, expected]) => {
      const [title, section, change] = MALFORMED_HEADS[id] as MalformedHead;
      return bytesCase(id, title, section, why, lines(change), expected);
    }),
    bytesCase(
      "name-not-token",
      "a field named X(Y)",
      "RFC 9110 §5.1",
      "A name is a token.",
      lines((it) => it.replace("Upgrade: w", "X(Y): x\r\nUpgrade: w")),
      refuses({ statuses: [400] }),
    ),
    bytesCase(
      "lf-only",
      "lines that end with LF alone",
      "RFC 9112 §2.2",
      "A server may take LF for a line's end.",
      lines((it) => it.replaceAll("\r\n", "\n") + "\r\n\r\n"),
      may("it takes LF for a line's end"),
    ),
    bytesCase(
      "empty-line-first",
      "an empty line before the request",
      "RFC 9112 §2.2",
      "A server should ignore at least one.",
      lines((it) => `\r\n${it}`),
      {
        allows: ["101; a refusal (non-strict)"],
        async check(answer) {
          if (answer.head !== null && statusOf(answer.head) === 101) {
            return await accepts().check(
              answer,
            );
          }
          answer.subject.note("non-strict", "it refuses a request behind an empty line");
        },
      },
    ),
    bytesCase(
      "blank-before-field",
      "a blank before the first field",
      "RFC 9112 §2.2",
      "A server must refuse it, or ignore the line.",
      lines((it) => it.replace("Host:", " Host:")),
      refuses({ statuses: [400] }),
    ),
    bytesCase(
      "two-blanks",
      "two blanks in the first line",
      "RFC 9112 §3",
      "A server may read it by its blanks, or refuse it.",
      lines((it) => it.replace("GET ", "GET  ")),
      may("it reads the line by its blanks"),
    ),
    no(
      "method-lower-case",
      "the method get",
      "RFC 9110 §9.1",
      "Methods have letter case.",
      firstLine((_, target, version) => `get ${target} ${version}`),
      refuses(),
    ),
    no(
      "version-lower-case",
      "http/1.1",
      "RFC 9112 §2.3",
      "The name of the protocol has letter case.",
      firstLine((method, target) => `${method} ${target} http/1.1`),
      refuses(),
    ),
    no(
      "no-target",
      "no target",
      "RFC 9112 §3",
      "A first line has a target.",
      firstLine((method, _, version) => `${method} ${version}`),
      refuses(),
    ),
    no(
      "target-no-slash",
      "a target without a slash",
      "RFC 9112 §3.2",
      "It has none of the four forms.",
      firstLine((method, _, version) => `${method} chat ${version}`),
      refuses({ accepted: "non-strict", why: "it accepts a target without a slash" }),
    ),
    no(
      "target-fragment",
      "a target with a fragment",
      "RFC 6455 §3",
      "A resource name has no fragment.",
      firstLine((method, target, version) => `${method} ${target}#x ${version}`),
      refuses({ accepted: "informational", why: "it accepts a fragment in the target" }),
    ),
    no(
      "target-asterisk",
      "the target *",
      "RFC 9112 §3.2.4",
      "This form is for OPTIONS.",
      firstLine((method, _, version) => `${method} * ${version}`),
      refuses({ accepted: "non-strict", why: "it accepts the target *" }),
    ),
    bytesCase(
      "tls",
      "the first bytes of TLS",
      "RFC 9112 §2",
      "It is no HTTP.",
      () => hex("16 03 01 00 2f 01 00 00 2b 03 03 0d 0a 0d 0a"),
      refuses(),
    ),
    {
      ...bytesCase(
        "http-2",
        "the preface of HTTP/2",
        "RFC 9113 §3.4",
        "A server that has no HTTP/2 refuses it.",
        () => new Uint8Array(),
        {
          allows: ["an error's status, or the end of TCP, or frames of HTTP/2"],
          check: () => Promise.resolve(),
        },
      ),
      async run(subject): Promise<void> {
        const wire = subject.connect();
        subject.transcript.push("> the preface of HTTP/2");
        wire.send(utf8("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"));
        await wire.take(1);
      },
    },
    bytesCase(
      "frames-only",
      "a frame in place of a request",
      S421,
      "There is no connection before the handshake.",
      (subject) => {
        const peer = new Peer("server", subject.connect(), [], null);
        return new Uint8Array([...peer.encode([text("Hello")]), ...utf8("\r\n\r\n")]);
      },
      refuses(),
    ),
    bytesCase(
      "hixie-76",
      "a handshake of draft 76",
      S421,
      "It is not version 13, and its parsers had faults.",
      () =>
        utf8(
          "GET / HTTP/1.1\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nHost: x\r\nOrigin: http://x\r\nSec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n\r\n^n:ds[4U",
        ),
      refuses(),
    ),
    bytesCase(
      "hixie-75",
      "a handshake of draft 75",
      S421,
      "It is not version 13.",
      () =>
        utf8(
          "GET / HTTP/1.1\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nHost: x\r\nOrigin: http://x\r\n\r\n",
        ),
      refuses(),
    ),
  ];
}

/** What is larger or longer than a handshake should be. */
function large(): ServerCase[] {
  const bounded: Expectation = {
    allows: ["an error's status, or the end of TCP, or 101; an answer in time"],
    check: () => Promise.resolve(),
  };
  const at = (id: string, title: string, why: string, edit: Edit): ServerCase =>
    handshakeCase(id, title, "RFC 6455 §10.4", why, edit, bounded);
  const slow = "A parser that isn't linear takes minutes.";
  return [
    at(
      "field-1-mib",
      "a field of 1 MiB",
      "A server must have a limit, or memory.",
      plus("X-Large", "x".repeat(1 << 20)),
    ),
    at("fields-10000", "10,000 fields", "A server must have a limit, or memory.", (request) => ({
      line: request.line,
      fields: [
        ...request.fields,
        ...Array.from({ length: 10_000 }, (_, i) => [`X-${i}`, "x"] as const),
      ],
    })),
    at(
      "target-100-kib",
      "a target of 100 KiB",
      "A server must have a limit, or memory.",
      firstLine((method, _, version) => `${method} /${"x".repeat(102_400)} ${version}`),
    ),
    at(
      "protocol-blanks",
      "12,000 blanks in Sec-WebSocket-Protocol",
      slow,
      plus("Sec-WebSocket-Protocol", `a${" ".repeat(12_000)}b`),
    ),
    at(
      "extensions-quotes",
      "12,000 backslashes in Sec-WebSocket-Extensions",
      slow,
      plus("Sec-WebSocket-Extensions", `x;a="${"\\".repeat(12_000)}`),
    ),
    at(
      "extensions-many",
      "1,000 extensions",
      slow,
      plus("Sec-WebSocket-Extensions", "x, ".repeat(1000) + "x"),
    ),
    {
      ...handshakeCase(
        "half",
        "half a request, then the end of TCP",
        "RFC 9112 §8",
        "A request that isn't complete gets no 101.",
        same,
        bounded,
      ),
      async run(subject): Promise<void> {
        const wire = subject.connect();
        wire.send(utf8(partsText(subject.request()).slice(0, 60)));
        subject.transcript.push("> half a request, and the end of TCP");
        wire.end();
        const head = await subject.answer(wire);
        if (head !== null && statusOf(head) === 101) {
          throw new Fault("it upgrades for half a request");
        }
      },
    },
  ];
}

/** Bytes behind the request, in the same piece. */
function behind(): ServerCase[] {
  const second = (): Uint8Array =>
    utf8(
      `GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
  const smuggled =
    "Behind a refused upgrade, a proxy may take the connection for a tunnel: nothing may be read from it.";
  const early: Expectation = {
    allows: ['101, then Text: "early" comes back; a refusal or its loss (informational)'],
    async check({ subject, wire, head }) {
      if (head === null || statusOf(head) !== 101) {
        return subject.note("informational", "it refuses a request with data behind it");
      }
      const peer = new Peer("server", wire, subject.transcript, null);
      try {
        await converse(subject, peer, [back(text("early")), ...echo(text("later"))]);
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        subject.note(
          "informational",
          `a client must wait for the answer; it loses what it sends before: ${error.message}`,
        );
      }
    },
  };
  const body: Expectation = {
    allows: ["a refusal; or 101, and the body isn't taken for frames"],
    async check({ subject, wire, head }) {
      if (head === null || statusOf(head) !== 101) return;
      const peer = new Peer("server", wire, subject.transcript, null);
      wire.patience = 500;
      const event = await peer.next();
      if (event.kind === "message") {
        subject.note("non-strict", "it takes the request's body for frames");
      }
    },
  };
  const frame = (peer: Peer): Uint8Array => peer.encode([text("in the body")]);
  return [
    handshakeCase(
      "early-frame",
      "a text in the same piece as the request",
      S41,
      "A client must wait for the answer; a proxy may join the pieces all the same.",
      same,
      early,
      { behind: (peer) => peer.encode([text("early")]) },
    ),
    handshakeCase(
      "refused-then-request",
      "a request of version 7, and a correct one behind it",
      "RFC 6455 §10",
      smuggled,
      field("Sec-WebSocket-Version", "7"),
      refusesAll,
      { behind: second },
    ),
    handshakeCase(
      "no-key-then-request",
      "a request without a key, and a correct one behind it",
      "RFC 6455 §10",
      smuggled,
      without("Sec-WebSocket-Key"),
      refusesAll,
      { behind: second, isVariant: true },
    ),
    handshakeCase(
      "refused-then-frame",
      "a request of version 7, and a frame behind it",
      "RFC 6455 §10",
      smuggled,
      field("Sec-WebSocket-Version", "7"),
      refusesAll,
      { behind: (peer) => peer.encode([text("x")]) },
    ),
    handshakeCase(
      "body",
      "a request with a body that is a frame",
      "RFC 9110 §9.3.1",
      "A body belongs to the request: it isn't the first frame.",
      plus("Content-Length", "17"),
      body,
      { behind: frame },
    ),
    handshakeCase(
      "body-chunked",
      "a request with a chunked body",
      "RFC 9112 §7.1",
      "A body belongs to the request: it isn't the first frame.",
      plus("Transfer-Encoding", "chunked"),
      acceptsOrAny,
      { behind: () => utf8("5\r\nhello\r\n0\r\n\r\n") },
    ),
    handshakeCase(
      "length-and-chunked",
      "both Content-Length and Transfer-Encoding",
      "RFC 9112 §6.1",
      "It is how requests are smuggled: a server should refuse it.",
      all(plus("Content-Length", "4"), plus("Transfer-Encoding", "chunked")),
      refuses({
        statuses: [400],
        accepted: "informational",
        why: "it accepts both lengths of a body",
      }),
      { behind: () => utf8("0\r\n\r\n") },
    ),
    handshakeCase(
      "two-lengths",
      "two different Content-Lengths",
      "RFC 9112 §6.3",
      "A server must answer 400.",
      all(plus("Content-Length", "4"), plus("Content-Length", "5")),
      refuses({ statuses: [400] }),
    ),
  ];
}

/** What is sent of a request before TCP ends or is reset. */
const PHASES: readonly (readonly [id: string, title: string, part: (request: string) => string])[] =
  [
    ["nothing", "before any byte", () => ""],
    ["line", "inside the first line", (it) => it.slice(0, 8)],
    ["half", "inside the fields", (it) => it.slice(0, 60)],
    ["request", "right behind the request", (it) => it],
    ["answered", "right behind the answer", (it) => it],
  ];

/** A client that leaves during the handshake. */
function leaving(): ServerCase[] {
  const why = "A client may leave at any time; the server goes on, and its next connection works.";
  return PHASES.map(([id, title, part], i) =>
    newCase<ServerSubject>(
      {
        id: `handshake/reset-${id}`,
        title: `a reset of TCP ${title}`,
        section: "RFC 6455 §7.1.5",
        why,
        sends: [`a reset of TCP ${title}`],
        allows: ["another connection works"],
      },
      { isVariant: i === 1 },
      async (subject) => {
        const wire = subject.connect();
        const bytes = utf8(part(partsText(subject.request())));
        if (bytes.length > 0) wire.send(bytes);
        if (id === "answered") await subject.answer(wire);
        else await wire.connected();
        subject.transcript.push(`> a reset of TCP ${title}`);
        await wire.reset();
        await worksAgain(subject);
      },
    )
  );
}

const acceptsOrAny: Expectation = {
  allows: ["a refusal, or 101"],
  check: () => Promise.resolve(),
};

/** All of this file. */
export const MALFORMED_REQUEST_CASES: readonly ServerCase[] = [
  ...malformed(),
  ...large(),
  ...behind(),
  ...leaving(),
];
