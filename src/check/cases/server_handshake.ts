/** Cases of opening handshakes, for servers. RFC 6455 §4.2, RFC 9110 and RFC 9112. */

import type { Case } from "../case.ts";
import { all, type Edit, field, firstLine, plus, same, without } from "../edits.ts";
import { Fault } from "../fault.ts";
import { fieldOf, type Head, statusOf } from "../http.ts";
import { accepts, type Expectation, handshakeCase, refuses } from "../server_case.ts";
import { KEY, type ServerSubject } from "../server_subject.ts";
import { badHeads, goodHeads } from "./heads.ts";

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
  const LIST = "Connection is a list of options, without letter case.";
  const EXTRA = "Fields that a server doesn't know are ignored.";
  return [
    ok("plain", "the smallest correct request", S421, "All that a server needs.", same),
    ...goodHeads(S421).map((it) => ok(...it)),
    ok(
      "upgrade-upper-case",
      "Upgrade: WEBSOCKET",
      S421,
      "The value has no letter case.",
      field("Upgrade", "WEBSOCKET"),
      true,
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
    ...badHeads(S421).map(([id, title, section, why, edit, isVariant]) =>
      no(id, title, section, why, edit, any, isVariant)
    ),
    no(
      "connection-keep-alive",
      "Connection: keep-alive",
      S421,
      NEEDED,
      field("Connection", "keep-alive"),
      any,
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
  ...subprotocols(),
];
