/** Servers and clients with one fault each: the check finds each of them, by the case that is about it. */

import { pooledMap } from "@std/async";
import { assert, assertEquals } from "@std/assert";
import { checkClient, checkServer, type Report } from "../../src/check/mod.ts";
import { brokenClient, brokenServer } from "./broken_peers.ts";

/** Faults of an open connection, of either side, and the case that must find it. */
const OF_CONNECTIONS: Readonly<Record<string, string>> = {
  "any-rsv": "rsv/text-010",
  "any-rsv-control": "rsv/ping-001",
  "sends-rsv": "message/text-1",
  "any-opcode": "opcode/3-payload",
  "any-control": "opcode/11-payload",
  "long-lengths": "message/text-1",
  "length-little-endian": "message/binary-256",
  "length-32-bits": "length/2-32",
  "length-top-bit": "length/top-bit",
  "length-65536": "message/binary-65536",
  "extra-message": "message/text-1",
  "whole-frames-only": "pieces/text-1",
  "one-frame-a-chunk": "message/two-in-one-piece",
  "reverse-order": "message/two-in-one-piece",
  "text-as-binary": "message/kinds-in-turn",
  "binary-as-text": "message/binary-1",
  "drops-empty": "message/text-0",
  "limit-64-kib": "large/binary-256-kib",
  "cut-fragments": "message/text-4096",
  "continuation-first": "fragment/continuation-first",
  "data-inside": "fragment/text-inside",
  "empty-first": "fragment/empty-first",
  "ping-ends-message": "fragment/ping-between",
  "pong-inside": "fragment/ping-between",
  "utf8-any": "utf8/invalid-lone-80",
  "utf8-surrogates": "utf8/invalid-surrogate-first",
  "utf8-overlong": "utf8/invalid-overlong-2",
  "utf8-above": "utf8/invalid-above",
  "utf8-cut": "utf8/invalid-cut-2",
  "utf8-across": "utf8/split-messages",
  "utf8-per-fragment": "utf8/split-1",
  "utf8-binary": "utf8/binary-lone-80",
  "strips-bom": "utf8/valid-bom",
  "no-pong": "ping/empty",
  "pong-empty": "ping/payload-5",
  "pong-124": "ping/payload-125",
  "pong-as-text": "ping/not-utf8",
  "pong-as-ping": "ping/payload-5",
  "pong-twice": "ping/payload-5",
  "pongs-pong": "pong/unasked",
  "fragmented-control": "ping/fragment",
  "long-control": "ping/payload-126",
  "fails-silently": "opcode/3-empty",
  "close-no-answer": "close/code-1000",
  "close-ends-tcp": "close/code-1000",
  "close-goes-on": "close/then-text",
  "close-twice": "close/code-1000",
  "close-1005": "close/empty",
  "close-any-code": "close/code-999",
  "close-1005-taken": "close/code-1005",
  "close-2999-taken": "close/code-2999",
  "close-any-reason": "close/reason-not-utf8",
  "end-kept": "end/at-once",
  "ignores-rsv1": "deflate/hello",
  "all-compressed": "deflate/not-compressed",
  "no-takeover": "deflate/hello-again",
  "window-of-9": "deflate/window-own-15-messages",
  "plain-in-window": "deflate/window-skips",
  "breaks-at-final": "deflate/final-then-more",
  "inflate-errors": "deflate/bad-block-type",
  "utf8-compressed": "deflate/bad-utf8",
  "rsv1-continuation": "deflate/rsv-continuation",
  "rsv1-anywhere": "deflate/rsv-ping",
  "keeps-context": "deflate/takeover-peer-none",
  "large-window": "deflate/window-peer-9",
  "no-rsv1": "deflate/takeover-peer",
  "cuts-stream": "deflate/takeover-peer",
};

/** Faults that don't break a rule of RFC 2119's MUST: the verdict is "non-strict". */
const NON_STRICT: Readonly<Record<string, string>> = {
  "fails-without-close": "opcode/3-empty",
  "close-other-code": "close/code-1000",
  "close-one-byte": "close/one-byte",
  "close-no-3000": "close/code-3000",
};

const OF_SERVERS: Readonly<Record<string, string>> = {
  "any-mask": "mask/none-text",
  "wrong-mask": "message/text-1",
  "mask-goes-on": "mask/fragments-another-key",
  "mask-first-4": "mask/large",
  "close-keeps-tcp": "close/code-1000",
  "names-case": "handshake/lower-case",
  "any-method": "handshake/method-post",
  "any-version-of-http": "handshake/http-1.0",
  "origin-form-only": "handshake/absolute-target",
  "upgrade-case": "handshake/upgrade-mixed-case",
  "no-upgrade-needed": "handshake/no-upgrade",
  "connection-exact": "handshake/connection-list",
  "no-connection-needed": "handshake/no-connection",
  "no-host-needed": "handshake/two-hosts",
  "any-version": "handshake/version-7",
  "any-key": "handshake/key-15-bytes",
  "no-key-needed": "handshake/no-key",
  "two-keys": "handshake/two-keys",
  "two-lengths": "handshake/two-lengths",
  "blank-before-colon": "handshake/blank-before-colon",
  "any-field-name": "handshake/name-not-token",
  "head-in-one-piece": "handshake/in-pieces",
  "goes-on-after-refusal": "handshake/refused-then-request",
  "status-200": "handshake/plain",
  "wrong-accept": "handshake/plain",
  "no-accept-sent": "handshake/plain",
  "no-upgrade-sent": "handshake/plain",
  "no-connection-sent": "handshake/plain",
  "any-protocol": "handshake/protocol-none",
  "all-protocols": "handshake/protocol-list",
  "any-extension": "handshake/extension-unknown",
  "deflate-unasked": "message/text-1",
  "window-not-told": "deflate/window-peer-10",
  "takeover-not-told": "deflate/takeover-peer-none",
  "client-window-unasked": "handshake/offer-plain",
  "any-window": "handshake/offer-bad-server-window-7",
  "any-parameter": "handshake/offer-bad-unknown",
  "parameter-twice": "handshake/offer-bad-twice",
};

const NON_STRICT_SERVERS: Readonly<Record<string, string>> = {
  "no-version-told": "handshake/version-8",
  "any-target": "handshake/target-no-slash",
};

const OF_CLIENTS: Readonly<Record<string, string>> = {
  "any-mask": "mask/text",
  "wrong-mask": "message/text-1",
  "control-unmasked": "mask/pong",
  "empty-unmasked": "mask/empty",
  "key-zero": "mask/not-zero",
  "key-same": "mask/fresh",
  "key-counted": "mask/not-counted",
  "same-key": "request/key-fresh",
  "short-key": "request/key",
  "key-twice": "request/once",
  "post": "request/first-line",
  "no-host": "request/host",
  "no-port": "request/host",
  "no-upgrade": "request/upgrade",
  "no-connection": "request/connection",
  "version-8": "request/version",
  "sends-accept": "request/no-answer-fields",
  "has-body": "request/no-body",
  "bad-protocol": "request/protocols",
  "bad-offer": "request/extensions",
  "talks-early": "request/waits",
  "names-case": "answer/lower-case",
  "phrase-exact": "answer/phrase-other",
  "head-in-one-piece": "answer/in-pieces",
  "loses-early": "answer/frame-behind",
  "upgrade-case": "answer/upgrade-mixed-case",
  "connection-exact": "answer/connection-list",
  "no-upgrade-needed": "answer/no-upgrade",
  "no-connection-needed": "answer/no-connection",
  "any-accept": "answer/accept-other-key",
  "no-accept-needed": "answer/no-accept",
  "accept-any-case": "answer/accept-lower-case",
  "accept-first": "answer/two-accepts",
  "any-status": "answer/status-200",
  "any-protocol": "answer/protocol-unasked",
  "any-extension": "answer/extension-unknown",
  "any-window": "answer/extension-window-7",
  "any-parameter": "answer/extension-parameter-unknown",
  "parameter-twice": "answer/extension-window-twice",
};

/** How long the check waits: a fault may be that nothing comes. */
const TIMEOUT = 400;
const TOGETHER = 8;

async function reportOf(
  side: "server" | "client",
  fault: string,
  cases: string[],
  timeout: number,
): Promise<Report> {
  if (side === "client") {
    return await checkClient({
      cases,
      timeout,
      concurrency: 1,
      connect: (url, { protocols }) => brokenClient(url, fault, protocols),
    });
  }
  const server = await brokenServer(fault);
  try {
    return await checkServer(server.url, { cases, timeout });
  } finally {
    await server.close();
  }
}

type Found = readonly [fault: string, id: string, verdict: string];

/** What the named case says of each fault. */
async function found(
  side: "server" | "client",
  faults: Readonly<Record<string, string>>,
): Promise<Found[]> {
  const all: Found[] = [];
  const results = pooledMap(
    TOGETHER,
    Object.entries(faults),
    async ([fault, id]): Promise<Found> => {
      // Whether a key is fresh shows with the second connection.
      const cases = fault === "same-key" ? ["request/key"] : [id];
      const { results } = await reportOf(side, fault, cases, TIMEOUT);
      const named = results.find((it) => it.id === id);
      return [fault, id, named?.verdict ?? "missing"];
    },
  );
  for await (const result of results) all.push(result);
  return all;
}

for (const side of ["server", "client"] as const) {
  const failed = { ...OF_CONNECTIONS, ...side === "server" ? OF_SERVERS : OF_CLIENTS };
  const nonStrict = { ...NON_STRICT, ...side === "server" ? NON_STRICT_SERVERS : {} };

  Deno.test(`check: W51 each fault of a ${side} is found by the case that is about it`, async () => {
    assert(Object.keys(failed).length >= 60);
    const expected = (list: typeof failed, verdict: string): Found[] =>
      Object.entries(list).map(([fault, id]) => [fault, id, verdict]);
    assertEquals(await found(side, failed), expected(failed, "failed"));
    assertEquals(await found(side, nonStrict), expected(nonStrict, "non-strict"));
  });

  Deno.test(`check: the same ${side} without a fault passes all of these cases`, async () => {
    const ids = [...new Set([...Object.values(failed), ...Object.values(nonStrict)])];
    const { results } = await reportOf(side, "", ids, 60_000);
    const others = results.filter(({ verdict }) => verdict !== "ok");
    assertEquals(others.map(({ id, verdict, note }) => ({ id, verdict, note })), []);
  });
}
