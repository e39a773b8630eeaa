/** Cases of the server's answer, for clients. RFC 6455 §4.1, RFC 9110 and RFC 9112. */

import type { Case } from "../case.ts";
import { answerCase, failsOpening, may, opens, type Reaction } from "../client_case.ts";
import { acceptOf, type ClientSubject } from "../client_subject.ts";
import { all, type Edit, field, plus, same, without } from "../edits.ts";
import { close, type Frame, more, ping, rest, text } from "../frames.ts";
import { fieldOf, type Head, parseExtensions } from "../http.ts";
import { answersClose, back, echo, mayBeLeftOut, pongs } from "../steps.ts";
import { badHeads, goodHeads } from "./heads.ts";

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
  const PHRASE = "A client ignores the reason phrase.";
  return [
    ok("plain", "the smallest correct answer", S41, "All that a client needs.", same),
    ...goodHeads(S41).map((it) => ok(...it)),
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
    ...badHeads(S41).map((it) => no(...it)),
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

/** All of this file. */
export const ANSWER_CASES: readonly ClientCase[] = [
  ...good(),
  ...behind(),
  ...bad(),
  ...subprotocols(),
  ...extensions(),
];
