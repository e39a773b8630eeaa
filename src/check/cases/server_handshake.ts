/** Cases of opening handshakes, for servers. RFC 6455 §4.2, RFC 9110 and RFC 9112. */

import { hex, utf8 } from "../bytes.ts";
import { type Case, converse, newCase } from "../case.ts";
import { text } from "../frames.ts";
import { fieldOf, type Head, statusOf } from "../http.ts";
import { Fault } from "../fault.ts";
import { Peer } from "../peer.ts";
import { all, type Edit, field, firstLine, plus, renamed, same, without } from "../edits.ts";
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

type ServerCase = Case<ServerSubject>;

const S41 = "RFC 6455 §4.1";
const S421 = "RFC 6455 §4.2.1";
const S44 = "RFC 6455 §4.4";

function good(): ServerCase[] {
  const ok = (
    id: string,
    title: string,
    section: string,
    why: string,
    edit: Edit,
    isVariant = false,
  ): ServerCase => handshakeCase(id, title, section, why, edit, accepts(), { isVariant });
  const NAMES = "Names of fields have no letter case.";
  const LIST = "Connection is a list of options, without letter case.";
  const EXTRA = "Fields that a server doesn't know are ignored.";
  return [
    ok("plain", "the smallest correct request", S421, "All that a server needs.", same),
    ok(
      "lower-case",
      "names of fields in lower case",
      "RFC 9110 §5.1",
      NAMES,
      renamed((it) => it.toLowerCase()),
    ),
    ok(
      "upper-case",
      "names of fields in upper case",
      "RFC 9110 §5.1",
      NAMES,
      renamed((it) => it.toUpperCase()),
      true,
    ),
    ok(
      "upgrade-mixed-case",
      "Upgrade: WebSocket",
      S421,
      "The value has no letter case.",
      field("Upgrade", "WebSocket"),
    ),
    ok(
      "upgrade-upper-case",
      "Upgrade: WEBSOCKET",
      S421,
      "The value has no letter case.",
      field("Upgrade", "WEBSOCKET"),
      true,
    ),
    ok("connection-lower-case", "Connection: upgrade", S421, LIST, field("Connection", "upgrade")),
    ok(
      "connection-list",
      "Connection: keep-alive, Upgrade",
      S421,
      LIST,
      field("Connection", "keep-alive, Upgrade"),
    ),
    ok(
      "connection-no-blanks",
      "Connection: keep-alive,Upgrade,x",
      S421,
      LIST,
      field("Connection", "keep-alive,Upgrade,x"),
      true,
    ),
    ok(
      "connection-two-fields",
      "two Connection fields",
      "RFC 9110 §5.3",
      "Fields of one name make up one list.",
      plus("Connection", "keep-alive"),
    ),
    ok(
      "connection-empty-elements",
      "Connection: , ,Upgrade,",
      "RFC 9110 §5.6.1",
      "A recipient must accept empty elements of a list.",
      field("Connection", ", ,Upgrade,"),
    ),
    ok(
      "reverse-order",
      "all fields in the reverse order",
      S41,
      "Fields may come in any order.",
      ({ line, fields }) => ({ line, fields: [...fields].reverse() }),
    ),
    ok(
      "blanks",
      "blanks and tabs around values",
      "RFC 9112 §5.1",
      "They aren't a part of the value.",
      ({ line, fields }) => ({
        line,
        fields: fields.map(([name, value]) =>
          [
            name,
            /^(Upgrade|Connection)$/.test(name) ? ` \t ${value}  ` : ` \t ${value} \t`,
          ] as const
        ),
      }),
    ),
    ok(
      "no-blanks",
      "no blank behind the colons",
      "RFC 9112 §5.1",
      "The blank is optional.",
      ({ line, fields }) => ({
        line: line + "\r\n" + fields.map(([name, value]) => `${name}:${value}`).join("\r\n"),
        fields: [],
      }),
    ),
    ok(
      "extra-fields",
      "unknown fields",
      S421,
      EXTRA,
      all(plus("X-One", "1"), plus("Sec-WebSocket-Unknown", "2"), plus("Foo", "")),
    ),
    ok(
      "many-fields",
      "50 fields",
      "RFC 9110 §5.4",
      "Browsers and proxies send many.",
      (request) =>
        Array.from({ length: 45 }, (_, i) => plus(`X-Field-${i}`, `${i}`)).reduce(
          (it, edit) => edit(it),
          request,
        ),
    ),
    ok(
      "long-field",
      "a Cookie of 4,000 bytes",
      "RFC 9110 §5.4",
      "A server should take a few thousand bytes of a field.",
      plus("Cookie", `a=${"x".repeat(4000)}`),
    ),
    ok(
      "user-agent",
      "the fields of a browser",
      S41,
      EXTRA,
      all(
        plus("User-Agent", "Mozilla/5.0"),
        plus("Pragma", "no-cache"),
        plus("Cache-Control", "no-cache"),
        plus("Accept-Encoding", "gzip, deflate, br"),
        plus("Accept-Language", "en"),
      ),
    ),
    ok(
      "proto-field",
      "a field named __proto__",
      S421,
      "A name may be that of an object's member.",
      all(plus("__proto__", "x"), plus("constructor", "y")),
    ),
    ok(
      "absolute-target",
      "the target as a whole URL",
      "RFC 9112 §3.2.2",
      "A server must accept the absolute form.",
      ({ line, fields }) => {
        const host = fields.find(([name]) => name === "Host")?.[1] ?? "";
        return { line: line.replace(" /", ` http://${host}/`), fields };
      },
    ),
    handshakeCase(
      "in-pieces",
      "a request that comes byte by byte",
      "RFC 9112 §2.2",
      "TCP may split it anywhere.",
      same,
      accepts(),
      { pieces: 1 },
    ),
    handshakeCase(
      "in-two-pieces",
      "a request in two pieces",
      "RFC 9112 §2.2",
      "TCP may split it anywhere.",
      same,
      accepts(),
      { pieces: 100, isVariant: true },
    ),
  ];
}

function origins(): ServerCase[] {
  const why =
    "A server should let in pages of origins that it trusts only; which these are is its own affair.";
  const expected: Expectation = {
    allows: ["101, or 403: a note in either case"],
    async check(answer) {
      const status = answer.head === null ? 0 : statusOf(answer.head);
      if (status === 101) {
        answer.subject.note("ok", "it lets the origin in");
        return await accepts().check(answer);
      }
      answer.subject.note("ok", `it refuses the origin with ${status}`);
    },
  };
  return ["https://attacker.example", "null"].map((origin) =>
    handshakeCase(
      origin === "null" ? "origin-null" : "origin-foreign",
      `Origin: ${origin}`,
      "RFC 6455 §10.2",
      why,
      plus("Origin", origin),
      expected,
    )
  );
}

const METHODS = ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"];
const VERSIONS: readonly (readonly [id: string, value: string])[] = [
  ["0", "0"],
  ["7", "7"],
  ["8", "8"],
  ["12", "12"],
  ["14", "14"],
  ["25", "25"],
  ["255", "255"],
  ["256", "256"],
  ["text", "thirteen"],
  ["empty", ""],
  ["leading-zero", "013"],
  ["sign", "+13"],
  ["fraction", "13.0"],
  ["negative", "-13"],
];
const KEYS: readonly (readonly [id: string, title: string, value: string, isVariant?: boolean])[] =
  [
    ["empty", "an empty key", ""],
    ["15-bytes", "a key of 15 bytes", "dGhlIHNhbXBsZSBub25j"],
    ["17-bytes", "a key of 17 bytes", "dGhlIHNhbXBsZSBub25jZSE="],
    ["1-byte", "a key of one byte", "YQ==", true],
    ["24-characters", "24 characters that aren't base64", "!@#$%^&*()_-{}[]<>,.?/|!"],
    ["no-padding", "a key without its padding", "dGhlIHNhbXBsZSBub25jZQ"],
    ["url-safe", "a key in the alphabet for URLs", "-_-_-_-_-_-_-_-_-_-_-w==", true],
    ["blank", "a key with a blank inside", "dGhlIHNhbXBs ZSBub25jZQ=="],
  ];

function bad(): ServerCase[] {
  const no = (
    id: string,
    title: string,
    section: string,
    why: string,
    edit: Edit,
    expected: Expectation = refuses({ statuses: [400] }),
    isVariant = false,
  ): ServerCase => handshakeCase(id, title, section, why, edit, expected, { isVariant });
  const any = refuses();
  const NEEDED = "A server that gets a handshake without this must not open the connection.";
  return [
    ...METHODS.map((method) =>
      no(
        `method-${method.toLowerCase()}`,
        `the method ${method}`,
        S421,
        "The method is GET.",
        all(
          firstLine((_, target, version) => `${method} ${target} ${version}`),
          plus("Content-Length", "0"),
        ),
        any,
        method !== "POST",
      )
    ),
    no(
      "http-1.0",
      "HTTP/1.0",
      S421,
      "The version is at least 1.1; Upgrade of HTTP/1.0 is to be ignored.",
      firstLine((method, target) => `${method} ${target} HTTP/1.0`),
      any,
    ),
    no(
      "http-2.0",
      "HTTP/2.0 in the first line",
      "RFC 9112 §2.3",
      "No such message is HTTP/1.1.",
      firstLine((method, target) => `${method} ${target} HTTP/2.0`),
      any,
    ),
    no("no-upgrade", "no Upgrade", S421, NEEDED, without("Upgrade"), any),
    no("upgrade-other", "Upgrade: h2c", S421, NEEDED, field("Upgrade", "h2c"), any),
    no("upgrade-longer", "Upgrade: websockets", S421, NEEDED, field("Upgrade", "websockets"), any),
    no("upgrade-empty", "an empty Upgrade", S421, NEEDED, field("Upgrade", ""), any, true),
    no("no-connection", "no Connection", S421, NEEDED, without("Connection"), any),
    no(
      "connection-keep-alive",
      "Connection: keep-alive",
      S421,
      NEEDED,
      field("Connection", "keep-alive"),
      any,
    ),
    no(
      "connection-close",
      "Connection: close",
      S421,
      NEEDED,
      field("Connection", "close"),
      any,
      true,
    ),
    no(
      "connection-longer",
      "Connection: Upgraded",
      S421,
      NEEDED,
      field("Connection", "Upgraded"),
      any,
      true,
    ),
    no(
      "no-host",
      "no Host",
      "RFC 9112 §3.2",
      "A server must answer 400 to a request without Host.",
      without("Host"),
    ),
    no(
      "two-hosts",
      "two Host fields",
      "RFC 9112 §3.2",
      "A server must answer 400 to a request with more than one Host.",
      plus("Host", "other.example"),
    ),
    ...["a/b", "a b", "user@example.com", "example.com:port", "a?b", "a#b", "a\\b"].map((host, i) =>
      no(
        `host-malformed-${i + 1}`,
        `Host: ${host}`,
        "RFC 9112 §3.2",
        "A server must answer 400 to a Host with an invalid value.",
        field("Host", host),
        refuses({ statuses: [400], accepted: "non-strict", why: "it accepts a malformed Host" }),
        i > 0,
      )
    ),
    no("no-key", "no Sec-WebSocket-Key", S421, NEEDED, without("Sec-WebSocket-Key")),
    ...KEYS.map(([id, title, value, isVariant = false]) =>
      no(
        `key-${id}`,
        title,
        S421,
        "The key is 16 bytes in base64.",
        field("Sec-WebSocket-Key", value),
        refuses({ statuses: [400], why: "it accepts a key that isn't 16 bytes in base64" }),
        isVariant,
      )
    ),
    no(
      "two-keys",
      "two different keys",
      "RFC 6455 §11.3.1",
      "The field must not be there more than once.",
      plus("Sec-WebSocket-Key", "AQIDBAUGBwgJCgsMDQ4PEA=="),
    ),
    no(
      "same-key-twice",
      "the same key twice",
      "RFC 6455 §11.3.1",
      "The field must not be there more than once.",
      plus("Sec-WebSocket-Key", KEY),
      undefined,
      true,
    ),
    no(
      "no-version",
      "no Sec-WebSocket-Version",
      S44,
      NEEDED,
      without("Sec-WebSocket-Version"),
      refuses({ statuses: [400, 426] }),
    ),
    ...VERSIONS.map(([id, value]) =>
      no(
        `version-${id}`,
        `Sec-WebSocket-Version: ${value || "(empty)"}`,
        S44,
        "The answer to another version is an error, and the versions that the server has.",
        field("Sec-WebSocket-Version", value),
        refuses({
          statuses: [426, 400],
          has: "sec-websocket-version",
          // The last draft was the same on the wire.
          ...value === "8"
            ? { accepted: "non-strict", why: "it takes the version of a draft" }
            : {},
        }),
        !["8", "256", "leading-zero"].includes(id),
      )
    ),
    no(
      "two-versions",
      "versions 13 and 8 in two fields",
      "RFC 6455 §11.3.5",
      "The field must not be there more than once in a request.",
      plus("Sec-WebSocket-Version", "8"),
      refuses({ statuses: [400, 426] }),
    ),
    no(
      "version-list",
      "Sec-WebSocket-Version: 13, 8",
      "RFC 6455 §11.3.5",
      "A request names one version.",
      field("Sec-WebSocket-Version", "13, 8"),
      refuses({ statuses: [400, 426] }),
    ),
  ];
}

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
  const may = (why: string): Expectation => refuses({ statuses: [400], accepted: "ok", why });
  return [
    bytesCase(
      "blank-before-colon",
      "a blank between a field's name and its colon",
      "RFC 9112 §5.1",
      "A server must answer 400: proxies and servers read such fields differently.",
      lines((it) => it.replace("Upgrade: w", "Upgrade : w")),
      refuses({ statuses: [400] }),
    ),
    bytesCase(
      "obs-fold",
      "Upgrade on a line of its own, folded",
      "RFC 9112 §5.2",
      "A server must answer 400, or take the fold for blanks.",
      lines((it) => it.replace("Upgrade: websocket", "Upgrade:\r\n websocket")),
      may("it takes the fold for blanks"),
    ),
    bytesCase(
      "no-colon",
      "a line without a colon among the fields",
      "RFC 9112 §5",
      "It is no field.",
      lines((it) => it.replace("Upgrade: w", "nonsense\r\nUpgrade: w")),
      refuses({ statuses: [400] }),
    ),
    bytesCase(
      "empty-name",
      "a field without a name",
      "RFC 9110 §5.1",
      "A name is a token.",
      lines((it) => it.replace("Upgrade: w", ": x\r\nUpgrade: w")),
      refuses({ statuses: [400] }),
    ),
    bytesCase(
      "name-not-token",
      "a field named X(Y)",
      "RFC 9110 §5.1",
      "A name is a token.",
      lines((it) => it.replace("Upgrade: w", "X(Y): x\r\nUpgrade: w")),
      refuses({ statuses: [400] }),
    ),
    bytesCase(
      "nul-in-value",
      "a NUL in a value",
      "RFC 9110 §5.5",
      "A server must refuse it or take a blank for it.",
      lines((it) => it.replace("Upgrade: w", "X: a\0b\r\nUpgrade: w")),
      refuses({ statuses: [400], accepted: "non-strict", why: "it accepts a NUL in a value" }),
    ),
    bytesCase(
      "cr-in-value",
      "a CR in a value",
      "RFC 9110 §5.5",
      "A server must refuse it or take a blank for it.",
      lines((it) => it.replace("Upgrade: w", "X: a\rb\r\nUpgrade: w")),
      refuses({ statuses: [400], accepted: "non-strict", why: "it accepts a bare CR in a value" }),
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

/** The subprotocol that the server has chosen is one of those offered, or none. */
const oneOf = (offered: readonly string[]): (head: Head) => void => (head) => {
  const chosen = fieldOf(head, "sec-websocket-protocol");
  if (chosen !== null && !offered.includes(chosen)) {
    throw new Fault(
      `it chooses the subprotocol ${
        JSON.stringify(chosen)
      }, which is no token or wasn't offered (RFC 6455 §4.2.2)`,
    );
  }
};

function subprotocols(): ServerCase[] {
  const S422 = "RFC 6455 §4.2.2";
  const ok = (
    id: string,
    title: string,
    why: string,
    edit: Edit,
    offered: readonly string[],
    isVariant = false,
  ): ServerCase =>
    handshakeCase(id, title, S422, why, edit, accepts(oneOf(offered)), { isVariant });
  const may = (
    id: string,
    title: string,
    why: string,
    value: string,
    offered: readonly string[],
  ): ServerCase =>
    handshakeCase(id, title, "RFC 6455 §11.3.4", why, plus("Sec-WebSocket-Protocol", value), {
      allows: ["a refusal; or 101 with one of those offered, or with none"],
      async check(answer) {
        if (answer.head !== null && statusOf(answer.head) === 101) {
          await accepts(oneOf(offered)).check(answer);
        }
      },
    });
  const CHOICE = "The answer has one of those that were offered, or no such field.";
  return [
    ok("protocol-none", "no subprotocol offered", "Then the answer has none.", same, []),
    ok(
      "protocol-unknown",
      "an unknown subprotocol",
      CHOICE,
      plus("Sec-WebSocket-Protocol", "x-unknown"),
      ["x-unknown"],
    ),
    ok(
      "protocol-list",
      "chat, superchat",
      CHOICE,
      plus("Sec-WebSocket-Protocol", "chat, superchat"),
      ["chat", "superchat"],
    ),
    ok(
      "protocol-fields",
      "chat and superchat in two fields",
      "Fields of one name make up one list.",
      all(plus("Sec-WebSocket-Protocol", "chat"), plus("Sec-WebSocket-Protocol", "superchat")),
      ["chat", "superchat"],
    ),
    ok(
      "protocol-case",
      "CHAT",
      "Subprotocols have letter case.",
      plus("Sec-WebSocket-Protocol", "CHAT"),
      ["CHAT"],
    ),
    ok(
      "protocol-proto",
      "constructor, __proto__",
      "Names of members are names like any other.",
      plus("Sec-WebSocket-Protocol", "constructor, __proto__"),
      ["constructor", "__proto__"],
    ),
    may("protocol-twice", "chat, chat", "Each may be offered once.", "chat, chat", ["chat"]),
    may("protocol-not-token", "ch@t, (chat)", "A subprotocol is a token.", "ch@t, (chat)", []),
    may(
      "protocol-empty",
      "an empty Sec-WebSocket-Protocol",
      "The list has at least one element.",
      "",
      [],
    ),
    may("protocol-commas", "chat,,superchat,", "Empty elements don't count.", "chat,,superchat,", [
      "chat",
      "superchat",
    ]),
    ok(
      "extension-unknown",
      "an unknown extension",
      "It isn't agreed to.",
      plus("Sec-WebSocket-Extensions", "x-unknown; a=1"),
      [],
    ),
    ok(
      "extension-proto",
      "extensions named constructor and __proto__",
      "They aren't agreed to.",
      plus("Sec-WebSocket-Extensions", "constructor, __proto__; toString"),
      [],
      true,
    ),
  ];
}

/** All of this file. */
export const HANDSHAKE_CASES: readonly ServerCase[] = [
  ...good(),
  ...origins(),
  ...bad(),
  ...malformed(),
  ...large(),
  ...behind(),
  ...leaving(),
  ...subprotocols(),
];
