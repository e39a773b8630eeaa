/** Cases of the request and of the masks, for clients. RFC 6455 §4.1 and §5.3. */

import type { Case } from "../case.ts";
import { connectionCase } from "../case.ts";
import { requestCase } from "../client_case.ts";
import type { ClientSubject } from "../client_subject.ts";
import { binary, close, type Frame, more, ping, pong, rest, text } from "../frames.ts";
import { fieldOf, hasToken, type Head, parseExtensions } from "../http.ts";
import { Fault } from "../fault.ts";
import { answersClose, back, fails, pongs, send } from "../steps.ts";

const S41 = "RFC 6455 §4.1";

function must(isSo: boolean, otherwise: string): void {
  if (!isSo) throw new Fault(otherwise);
}

const count = (head: Head, name: string): number =>
  head.fields.filter(([it]) => it === name).length;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const PARAMETER = /^(8|9|1[0-5])$/;

/** RFC 7692 §7.1: what an offer may have. */
function checkOffer(head: Head): void {
  for (const { name, parameters } of parseExtensions(fieldOf(head, "sec-websocket-extensions"))) {
    must(TOKEN.test(name), `the name of an extension isn't a token: ${name}`);
    if (name !== "permessage-deflate") continue;
    for (const [key, value] of parameters) {
      const isWindow = /^(server|client)_max_window_bits$/.test(key);
      const isPlain = /^(server|client)_no_context_takeover$/.test(key);
      must(isWindow || isPlain, `it offers a parameter that permessage-deflate hasn't got: ${key}`);
      must(!isPlain || value === null, `${key} has no value`);
      const mayBeBare = key === "client_max_window_bits" && value === null;
      must(!isWindow || mayBeBare || PARAMETER.test(value ?? ""), `${key} is 8–15: ${value}`);
    }
  }
}

const requests: readonly Case<ClientSubject>[] = [
  requestCase(
    "first-line",
    "GET, an origin-form target, HTTP/1.1",
    S41,
    "The handshake is a GET request of HTTP/1.1 or later.",
    ({ line }) => must(/^GET \/[\x21-\x7e]* HTTP\/1\.1$/.test(line), `its first line is: ${line}`),
  ),
  requestCase(
    "target",
    "the path of the URL",
    S41,
    "The target is the resource name of the URL.",
    ({ line }, { arrivals }) => {
      const target = line.split(" ")[1] ?? "";
      const path = new URL(arrivals.url).pathname;
      must(target === path || !target.startsWith("/case/"), `its target is ${target}, not ${path}`);
      must(!target.includes("#"), "its target has a fragment");
    },
  ),
  requestCase(
    "host",
    "one Host, with the port",
    S41,
    "Host has the port unless it is the scheme's default.",
    (head, { arrivals }) => {
      must(count(head, "host") === 1, `it has ${count(head, "host")} Host fields`);
      const port = new URL(arrivals.url).port;
      must(
        fieldOf(head, "host")?.endsWith(`:${port}`) === true,
        `its Host has no port: ${fieldOf(head, "host")}`,
      );
    },
  ),
  requestCase(
    "upgrade",
    "Upgrade: websocket",
    S41,
    "The request must have it.",
    (head) =>
      must(hasToken(head, "upgrade", "websocket"), `its Upgrade is ${fieldOf(head, "upgrade")}`),
  ),
  requestCase(
    "connection",
    "Connection with Upgrade",
    S41,
    "The request must have it.",
    (head) =>
      must(
        hasToken(head, "connection", "upgrade"),
        `its Connection is ${fieldOf(head, "connection")}`,
      ),
  ),
  requestCase(
    "version",
    "Sec-WebSocket-Version: 13, once",
    S41,
    "The version is 13.",
    (head) =>
      must(
        fieldOf(head, "sec-websocket-version") === "13",
        `its version is ${fieldOf(head, "sec-websocket-version")}`,
      ),
  ),
  requestCase("key", "one key of 16 bytes in base64", S41, "The nonce has 16 bytes.", (head) => {
    const key = fieldOf(head, "sec-websocket-key") ?? "";
    must(/^[A-Za-z0-9+/]{21}[AQgw]==$/.test(key), "its key isn't 16 bytes in base64");
  }),
  requestCase(
    "key-fresh",
    "a key that no other connection has",
    S41,
    "The nonce is chosen at random for each connection.",
    (head, { arrivals }) => {
      const key = fieldOf(head, "sec-websocket-key");
      must(
        arrivals.keys.filter((it) => it === key).length < 2,
        "it uses the same key for two connections",
      );
    },
  ),
  requestCase(
    "once",
    "none of the handshake's fields twice",
    S41,
    "They must not be there more than once.",
    (head) => {
      for (
        const name of ["upgrade", "sec-websocket-key", "sec-websocket-version", "host", "origin"]
      ) {
        must(count(head, name) < 2, `it sends ${name} twice`);
      }
    },
  ),
  requestCase(
    "no-answer-fields",
    "no field of an answer",
    "RFC 6455 §11.3.3",
    "Sec-WebSocket-Accept must not be in a request.",
    (head) => must(count(head, "sec-websocket-accept") === 0, "it sends Sec-WebSocket-Accept"),
  ),
  requestCase(
    "no-body",
    "no body",
    "RFC 9110 §9.3.1",
    "Content in a GET request has no meaning.",
    (head) =>
      must(
        fieldOf(head, "transfer-encoding") === null &&
          !/[1-9]/.test(fieldOf(head, "content-length") ?? ""),
        "it announces a body",
      ),
  ),
  requestCase(
    "protocols",
    "subprotocols that are tokens, each once",
    S41,
    "The elements are tokens, and unique.",
    (head) => {
      const offered = (fieldOf(head, "sec-websocket-protocol") ?? "x").split(",").map((it) =>
        it.trim()
      );
      must(offered.every((it) => TOKEN.test(it)), "a subprotocol isn't a token");
      must(new Set(offered).size === offered.length, "it offers a subprotocol twice");
    },
  ),
  requestCase(
    "extensions",
    "a well-formed offer of extensions",
    "RFC 7692 §7.1",
    "Parameters have the values that the extension defines.",
    checkOffer,
  ),
  requestCase(
    "waits",
    "nothing behind the request",
    S41,
    "A client must wait for the answer before it sends anything else.",
    async (_head, _subject, { wire }) => {
      wire.patience = 100;
      const byte = await wire.take(1).catch(() => null);
      wire.patience = Infinity;
      must(byte === null, "it sends data before the answer");
    },
  ),
];

const fresh = (
  id: string,
  title: string,
  why: string,
  check: (keys: readonly number[]) => void,
  count: number,
): Case =>
  connectionCase(`mask/${id}`, title, "RFC 6455 §5.3", why, [
    send(...Array.from({ length: count }, () => text("abcd"))),
    back(...Array.from({ length: count }, () => text("abcd"))),
    { sends: [], allows: [title], run: ({ peer }) => Promise.resolve(check(peer.keys)) },
  ]);

function masks(): Case[] {
  const wrong = (id: string, title: string, frames: readonly Frame[], isVariant = false): Case =>
    connectionCase(
      `mask/${id}`,
      title,
      "RFC 6455 §5.1",
      "A client must fail the connection when a frame of the server is masked.",
      [send(...frames), fails(1002)],
      { isVariant },
    );
  const masked = { hasWrongMask: true } as const;
  return [
    fresh(
      "fresh",
      "50 frames, each with another key",
      "The key of each frame is chosen at random.",
      (keys) =>
        must(
          new Set(keys).size >= 48,
          `${keys.length} frames have ${new Set(keys).size} different keys`,
        ),
      50,
    ),
    fresh(
      "not-zero",
      "keys that aren't zero",
      "With a key of zero nothing is masked.",
      (keys) => must(keys.filter((it) => it === 0).length < 2, "its masking keys are zero"),
      10,
    ),
    fresh(
      "not-counted",
      "keys that don't follow from the ones before",
      "A key must not make the next one easy to predict.",
      (keys) => {
        const steps = keys.slice(1).map((key, i) => (key - (keys[i] ?? 0)) >>> 0);
        must(new Set(steps).size > steps.length / 2, "its masking keys are counted");
      },
      20,
    ),
    connectionCase(
      "mask/pong",
      "a Ping: the Pong is masked",
      "RFC 6455 §5.1",
      "Control frames are masked as well.",
      [send(ping("p")), pongs(ping("p"))],
    ),
    connectionCase(
      "mask/close",
      "a Close: the answer is masked",
      "RFC 6455 §5.1",
      "Control frames are masked as well.",
      [send(close(1000)), answersClose([1000])],
    ),
    connectionCase(
      "mask/empty",
      "an empty text: it is masked although there is nothing to mask",
      "RFC 6455 §5.1",
      "Each frame is masked.",
      [send(text("")), back(text(""))],
    ),
    wrong("text", "a masked text", [text("abc", masked)]),
    wrong("binary", "a masked binary message", [binary("abc", masked)], true),
    wrong("empty-text", "a masked empty text", [text("", masked)], true),
    wrong("ping", "a masked Ping", [ping("abc", masked)]),
    wrong("masked-pong", "a masked Pong", [pong("abc", masked)], true),
    wrong("masked-close", "a masked Close", [{ ...close(1000), ...masked }]),
    wrong("continuation", "a masked Continuation", [text("abc", more), rest("def", masked)]),
    wrong("zero-key", "a text masked with a key of zeros", [
      text("abc", { ...masked, key: [0, 0, 0, 0] }),
    ]),
  ];
}

/** All of this file. */
export const REQUEST_CASES: readonly Case<ClientSubject>[] = [...requests, ...masks()];
