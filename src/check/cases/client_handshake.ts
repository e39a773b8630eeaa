/** Cases of the server's answer, for clients. RFC 6455 §4.1, RFC 9110 and RFC 9112. */

import { hex, utf8 } from "../bytes.ts";
import type { Case } from "../case.ts";
import {
  answerCase,
  bytesAnswer,
  failsOpening,
  may,
  opens,
  type Reaction,
} from "../client_case.ts";
import { acceptOf, type ClientSubject } from "../client_subject.ts";
import { all, type Edit, field, plus, renamed, same, without } from "../edits.ts";
import { close, type Frame, more, ping, rest, text } from "../frames.ts";
import { fieldOf, type Head, parseExtensions } from "../http.ts";
import { answersClose, back, echo, mayBeLeftOut, pongs, worksAgain } from "../steps.ts";

type ClientCase = Case<ClientSubject>;

const S41 = "RFC 6455 §4.1";
const first = (line: string): Edit => ({ fields }) => ({ line, fields });
function good(): ClientCase[] {
  const ok = (
    id: string,
    title: string,
    section: string,
    why: string,
    edit: Edit,
    isVariant = false,
  ): ClientCase => answerCase(id, title, section, why, edit, opens(), { isVariant });
  const NAMES = "Names of fields have no letter case.";
  const PHRASE = "A client ignores the reason phrase.";
  return [
    ok("plain", "the smallest correct answer", S41, "All that a client needs.", same),
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
      S41,
      "The value has no letter case.",
      field("Upgrade", "WebSocket"),
    ),
    ok(
      "connection-lower-case",
      "Connection: upgrade",
      S41,
      "The value has no letter case.",
      field("Connection", "upgrade"),
    ),
    ok(
      "connection-list",
      "Connection: keep-alive, Upgrade",
      S41,
      "The field is a list that has the token.",
      field("Connection", "keep-alive, Upgrade"),
    ),
    ok(
      "reverse-order",
      "all fields in the reverse order",
      "RFC 9110 §5.3",
      "Fields may come in any order.",
      ({ line, fields }) => ({ line, fields: [...fields].reverse() }),
    ),
    ok(
      "blanks",
      "blanks around values",
      "RFC 9112 §5.1",
      "They aren't a part of the value.",
      ({ line, fields }) => ({
        line,
        fields: fields.map(([name, value]) => [name, `  ${value}  `] as const),
      }),
    ),
    ok(
      "phrase-other",
      "another reason phrase",
      "RFC 9112 §4",
      PHRASE,
      first("HTTP/1.1 101 Web Socket Protocol Handshake"),
    ),
    ok("phrase-empty", "an empty reason phrase", "RFC 9112 §4", PHRASE, first("HTTP/1.1 101 ")),
    ok(
      "extra-fields",
      "fields that a client doesn't know",
      "RFC 9110 §5.1",
      "They are ignored.",
      all(plus("Server", "x"), plus("Date", "Thu, 01 Jan 2026 00:00:00 GMT"), plus("X-Other", "1")),
    ),
    ok(
      "many-fields",
      "50 fields",
      "RFC 9110 §5.4",
      "Proxies add some.",
      (parts) =>
        Array.from({ length: 47 }, (_, i) => plus(`X-Field-${i}`, `${i}`)).reduce(
          (it, edit) => edit(it),
          parts,
        ),
    ),
    ok(
      "long-field",
      "a field of 4,000 bytes",
      "RFC 9110 §5.4",
      "Cookies may be that long.",
      plus("Set-Cookie", `a=${"x".repeat(4000)}`),
    ),
    ok(
      "cookies",
      "three Set-Cookie fields",
      "RFC 6265 §3",
      "This field is there once for each cookie.",
      all(plus("Set-Cookie", "a=1"), plus("Set-Cookie", "b=2"), plus("Set-Cookie", "c=3")),
    ),
    ok(
      "proto-field",
      "fields named __proto__ and constructor",
      "RFC 9110 §5.1",
      "A name may be that of an object's member.",
      all(plus("__proto__", "x"), plus("constructor", "y")),
    ),
    answerCase(
      "in-pieces",
      "an answer that comes byte by byte",
      "RFC 9112 §2.2",
      "TCP may split it anywhere.",
      same,
      opens(),
      { pieces: 1 },
    ),
    answerCase(
      "in-two-pieces",
      "an answer in two pieces",
      "RFC 9112 §2.2",
      "TCP may split it anywhere.",
      same,
      opens(),
      { pieces: 70, isVariant: true },
    ),
  ];
}

/** What follows right behind the answer, in the same piece. */
function behind(): ClientCase[] {
  const WHY = "A server may send as soon as it has answered, and TCP may join the pieces.";
  const at = (
    id: string,
    title: string,
    frames: readonly Frame[],
    reaction: Reaction,
  ): ClientCase =>
    answerCase(id, title, S41, WHY, same, reaction, { behind: (peer) => peer.encode(frames) });
  return [
    at(
      "frame-behind",
      "a text in the same piece as the answer",
      [text("early")],
      opens([back(text("early")), ...echo(text("later"))]),
    ),
    at(
      "frames-behind",
      "a hundred texts in the same piece as the answer",
      Array.from({ length: 100 }, (_, i) => text(`${i}`)),
      opens([back(...Array.from({ length: 100 }, (_, i) => text(`${i}`)))]),
    ),
    at(
      "ping-behind",
      "a Ping in the same piece as the answer",
      [ping("early")],
      opens([pongs(ping("early"))]),
    ),
    at("fragments-behind", "a text in fragments in the same piece as the answer", [
      text("a", more),
      rest("b"),
    ], opens([back(text("ab"))])),
    at(
      "close-behind",
      "a Close in the same piece as the answer",
      [close(1001, "full")],
      opens([answersClose([1001])]),
    ),
    at(
      "text-and-close-behind",
      "a text and a Close in the same piece as the answer",
      [text("early"), close(1000)],
      opens([mayBeLeftOut(text("early")), answersClose([1000])]),
    ),
    answerCase(
      "half-frame-behind",
      "half a text in the same piece as the answer",
      S41,
      WHY,
      same,
      opens([
        {
          sends: [],
          allows: [],
          run: ({ peer }) =>
            Promise.resolve(peer.wire.send(peer.encode([text("early")]).subarray(4))),
        },
        back(text("early")),
      ]),
      { behind: (peer) => peer.encode([text("early")]).subarray(0, 4) },
    ),
    answerCase(
      "wrong-accept-behind",
      "a wrong Sec-WebSocket-Accept and a text in the same piece",
      S41,
      "No frame is read before the answer is checked.",
      field("Sec-WebSocket-Accept", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
      failsOpening(),
      { behind: (peer) => peer.encode([text("early")]) },
    ),
  ];
}

const ACCEPTS: readonly (readonly [id: string, title: string, value: (key: string) => string])[] = [
  ["empty", "an empty Sec-WebSocket-Accept", () => ""],
  ["other-key", "the Sec-WebSocket-Accept of another key", () => "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
  ["key-itself", "the key in place of its answer", (key) => key],
  ["no-guid", "an answer without the GUID", (key) => acceptOf(key, "")],
  [
    "guid-lower-case",
    "an answer with the GUID in lower case",
    (key) => acceptOf(key, "258eafa5-e914-47da-95ca-c5ab0dc85b11"),
  ],
  ["lower-case", "the right answer in lower case", (key) => acceptOf(key).toLowerCase()],
  ["longer", "the right answer and one more character", (key) => `${acceptOf(key)}=`],
  ["shorter", "the right answer without its padding", (key) => acceptOf(key).replace(/=$/, "")],
  ["blank", "the right answer with a blank inside", (key) => acceptOf(key).replace(/^.{5}/, "$& ")],
  ["list", "the right answer and another in one list", (key) => `${acceptOf(key)}, AAAA`],
];

function bad(): ClientCase[] {
  const no = (
    id: string,
    title: string,
    section: string,
    why: string,
    edit: Edit | { readonly for: (head: Head) => Edit },
    isVariant = false,
    reaction = failsOpening(),
  ): ClientCase => answerCase(id, title, section, why, edit, reaction, { isVariant });
  const NEEDED = "Without it, a client must fail the connection.";
  const forKey = (change: (key: string) => Edit) => ({
    for: (head: Head) => change(fieldOf(head, "sec-websocket-key") ?? ""),
  });
  const ACCEPT = "It must be the answer to the key of this request.";
  return [
    no("no-upgrade", "no Upgrade", S41, NEEDED, without("Upgrade")),
    no("upgrade-other", "Upgrade: h2c", S41, NEEDED, field("Upgrade", "h2c")),
    no("upgrade-longer", "Upgrade: websockets", S41, NEEDED, field("Upgrade", "websockets"), true),
    no("upgrade-empty", "an empty Upgrade", S41, NEEDED, field("Upgrade", ""), true),
    no("no-connection", "no Connection", S41, NEEDED, without("Connection")),
    no("connection-close", "Connection: close", S41, NEEDED, field("Connection", "close")),
    no(
      "connection-longer",
      "Connection: Upgraded",
      S41,
      NEEDED,
      field("Connection", "Upgraded"),
      true,
    ),
    no("no-accept", "no Sec-WebSocket-Accept", S41, NEEDED, without("Sec-WebSocket-Accept")),
    ...ACCEPTS.map(([id, title, value], i) =>
      no(
        `accept-${id}`,
        title,
        S41,
        ACCEPT,
        forKey((key) => field("Sec-WebSocket-Accept", value(key))),
        i > 3 && id !== "list",
      )
    ),
    no(
      "two-accepts",
      "the right Sec-WebSocket-Accept, then a wrong one",
      "RFC 6455 §11.3.3",
      "The field must not be there more than once.",
      plus("Sec-WebSocket-Accept", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ),
    no(
      "wrong-accept-first",
      "a wrong Sec-WebSocket-Accept, then the right one",
      "RFC 6455 §11.3.3",
      "The field must not be there more than once.",
      forKey((key) =>
        all(
          field("Sec-WebSocket-Accept", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
          plus("Sec-WebSocket-Accept", acceptOf(key)),
        )
      ),
      true,
    ),
    no(
      "same-accept-twice",
      "the right Sec-WebSocket-Accept twice",
      "RFC 6455 §11.3.3",
      "The field must not be there more than once.",
      forKey((key) => plus("Sec-WebSocket-Accept", acceptOf(key))),
      false,
      failsOpening({
        accepted: "informational",
        why: "it takes the same Sec-WebSocket-Accept twice",
      }),
    ),
    no(
      "http-1.0",
      "HTTP/1.0 101",
      "RFC 9110 §15.2",
      "HTTP/1.0 has no status of 1xx.",
      first("HTTP/1.0 101 Switching Protocols"),
      false,
      failsOpening({ accepted: "non-strict", why: "it takes a 101 of HTTP/1.0" }),
    ),
    no(
      "http-2.0",
      "HTTP/2.0 101",
      "RFC 9112 §2.3",
      "No such message is HTTP/1.1.",
      first("HTTP/2.0 101 Switching Protocols"),
      true,
    ),
    no(
      "http-lower-case",
      "http/1.1 101",
      "RFC 9112 §2.3",
      "The name of the protocol has letter case.",
      first("http/1.1 101 Switching Protocols"),
      true,
    ),
    no(
      "status-1011",
      "the status 1011",
      "RFC 9112 §4",
      "A status has three digits.",
      first("HTTP/1.1 1011 x"),
    ),
    no(
      "status-10",
      "the status 10",
      "RFC 9112 §4",
      "A status has three digits.",
      first("HTTP/1.1 10 x"),
      true,
    ),
    no(
      "status-text",
      "a status that is no number",
      "RFC 9112 §4",
      "A status has three digits.",
      first("HTTP/1.1 OK Switching"),
      true,
    ),
  ];
}

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

const chosen = (
  id: string,
  title: string,
  why: string,
  value: string,
  reaction: Reaction,
  protocols: readonly string[],
): ClientCase =>
  answerCase(`protocol-${id}`, title, S41, why, plus("Sec-WebSocket-Protocol", value), reaction, {
    protocols,
  });

function subprotocols(): ClientCase[] {
  const OFFERED = "A subprotocol that wasn't offered fails the connection.";
  const two = ["chat", "superchat"];
  return [
    chosen(
      "unasked",
      "a subprotocol, although none was offered",
      OFFERED,
      "x-unasked",
      failsOpening(),
      [],
    ),
    chosen(
      "first",
      "the first subprotocol of two",
      "The server chooses one.",
      "chat",
      opens(),
      two,
    ),
    chosen(
      "second",
      "the second subprotocol of two",
      "The server chooses one.",
      "superchat",
      opens(),
      two,
    ),
    chosen(
      "other",
      "a subprotocol that isn't one of the two",
      OFFERED,
      "other",
      failsOpening(),
      two,
    ),
    chosen(
      "both",
      "both subprotocols",
      "The server chooses one.",
      "chat, superchat",
      failsOpening(),
      two,
    ),
    chosen(
      "case",
      "a subprotocol in another letter case",
      "Subprotocols have letter case.",
      "CHAT",
      failsOpening(),
      two,
    ),
    chosen(
      "empty",
      "an empty Sec-WebSocket-Protocol",
      "It isn't one of those that were offered.",
      "",
      failsOpening({
        accepted: "informational",
        why: "it takes an empty Sec-WebSocket-Protocol for none",
      }),
      two,
    ),
    answerCase(
      "protocol-twice",
      "both subprotocols in two fields",
      "RFC 6455 §11.3.4",
      "The field must not be there more than once in an answer.",
      all(plus("Sec-WebSocket-Protocol", "chat"), plus("Sec-WebSocket-Protocol", "superchat")),
      failsOpening(),
      { protocols: two },
    ),
    answerCase(
      "protocol-none",
      "no subprotocol, although two were offered",
      S41,
      "A server may choose none; the standard of browsers fails such a connection.",
      same,
      may("it goes on without a subprotocol", "it wants one of its subprotocols"),
      { protocols: two },
    ),
  ];
}

const hasDeflate = (head: Head): boolean =>
  parseExtensions(fieldOf(head, "sec-websocket-extensions")).some(({ name }) =>
    name === "permessage-deflate"
  );

function extensions(): ClientCase[] {
  const EXTENSION = "An extension that wasn't offered fails the connection.";
  const PARAMETER = "An answer with a wrong parameter fails the connection (RFC 7692 §7.1).";
  const no = (
    id: string,
    title: string,
    why: string,
    value: string,
    isVariant = false,
  ): ClientCase =>
    answerCase(
      `extension-${id}`,
      title,
      why === EXTENSION ? S41 : "RFC 7692 §7.1",
      why,
      plus("Sec-WebSocket-Extensions", value),
      failsOpening(),
      { isVariant },
    );
  const deflate = (id: string, title: string, parameters: string, isVariant = true): ClientCase =>
    no(id, title, PARAMETER, `permessage-deflate${parameters}`, isVariant);
  return [
    no("unknown", "an unknown extension", EXTENSION, "x-unknown"),
    no("proto", "an extension named constructor", EXTENSION, "constructor", true),
    no(
      "and-unknown",
      "permessage-deflate and an unknown extension",
      EXTENSION,
      "permessage-deflate, x-unknown",
    ),
    no("twice", "permessage-deflate twice", PARAMETER, "permessage-deflate, permessage-deflate"),
    answerCase("extension-unasked", "permessage-deflate, if it wasn't offered", S41, EXTENSION, {
      for: (head) =>
        hasDeflate(head) ? same : plus("Sec-WebSocket-Extensions", "permessage-deflate"),
    }, may("it has offered permessage-deflate, or opens without it", "it fails the connection")),
    no(
      "malformed",
      "an extension without a name",
      "A malformed value fails the connection.",
      "; a=1",
    ),
    no(
      "malformed-quote",
      "a quoted value without its end",
      "A malformed value fails the connection.",
      'permessage-deflate; server_max_window_bits="10',
    ),
    deflate("window-7", "server_max_window_bits=7", "; server_max_window_bits=7", false),
    deflate("window-16", "server_max_window_bits=16", "; server_max_window_bits=16"),
    deflate("window-0", "server_max_window_bits=0", "; server_max_window_bits=0"),
    deflate(
      "window-huge",
      "server_max_window_bits=1000000000",
      "; server_max_window_bits=1000000000",
    ),
    deflate("window-negative", "server_max_window_bits=-1", "; server_max_window_bits=-1"),
    deflate("window-leading-zero", "server_max_window_bits=08", "; server_max_window_bits=08"),
    deflate("window-text", "server_max_window_bits=x", "; server_max_window_bits=x"),
    deflate(
      "window-bare",
      "server_max_window_bits without a value",
      "; server_max_window_bits",
      false,
    ),
    deflate(
      "window-twice",
      "server_max_window_bits twice",
      "; server_max_window_bits=10; server_max_window_bits=11",
      false,
    ),
    deflate("client-window-7", "client_max_window_bits=7", "; client_max_window_bits=7"),
    deflate("client-window-16", "client_max_window_bits=16", "; client_max_window_bits=16"),
    deflate(
      "client-window-bare",
      "client_max_window_bits without a value",
      "; client_max_window_bits",
      false,
    ),
    deflate(
      "takeover-value",
      "server_no_context_takeover=1",
      "; server_no_context_takeover=1",
      false,
    ),
    deflate(
      "client-takeover-value",
      "client_no_context_takeover=1",
      "; client_no_context_takeover=1",
    ),
    deflate(
      "takeover-twice",
      "server_no_context_takeover twice",
      "; server_no_context_takeover; server_no_context_takeover",
    ),
    deflate("parameter-unknown", "an unknown parameter", "; x_unknown", false),
    deflate("parameter-proto", "a parameter named __proto__", "; __proto__"),
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
  return [
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
      "blank-before-colon",
      "a blank between a field's name and its colon",
      "RFC 9112 §5.1",
      "A server must refuse it; a client may remove it.",
      (it) => it.replace("Upgrade: w", "Upgrade : w"),
      soft("it takes a blank before a colon", "informational"),
    ),
    no(
      "obs-fold",
      "Upgrade on a line of its own, folded",
      "RFC 9112 §5.2",
      "A client must take the fold for blanks; it may refuse it.",
      (it) => it.replace("Upgrade: websocket", "Upgrade:\r\n websocket"),
      soft("it takes the fold for blanks", "ok"),
    ),
    no(
      "no-colon",
      "a line without a colon among the fields",
      "RFC 9112 §5",
      "It is no field.",
      insert("nonsense"),
      soft("it ignores a line without a colon", "non-strict"),
    ),
    no(
      "empty-name",
      "a field without a name",
      "RFC 9110 §5.1",
      "A name is a token.",
      insert(": x"),
      soft("it takes a field without a name", "non-strict"),
    ),
    no(
      "nul-in-value",
      "a NUL in a value",
      "RFC 9110 §5.5",
      "It must be refused, or taken for a blank.",
      insert("X: a\0b"),
      soft("it takes a NUL in a value", "non-strict"),
    ),
    no(
      "cr-in-value",
      "a CR in a value",
      "RFC 9110 §5.5",
      "It must be refused, or taken for a blank.",
      insert("X: a\rb"),
      soft("it takes a bare CR in a value", "non-strict"),
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
export const ANSWER_CASES: readonly ClientCase[] = [
  ...good(),
  ...behind(),
  ...bad(),
  ...statuses(),
  ...leaving(),
  ...subprotocols(),
  ...extensions(),
  ...malformed(),
];
