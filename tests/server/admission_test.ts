import type { Acceptance } from "../../src/handshake/server_handshake.ts";
import { assertEquals } from "@std/assert";
import type { RequestHead } from "../../src/handshake/http_head.ts";
import { HeaderMap } from "../../src/handshake/header_map.ts";
import { decide, type Decision, type Refused } from "../../src/server/admission.ts";
import { checkServerOptions, type ServerOptions } from "../../src/server/server_options.ts";
import { UpgradeServerRequest } from "../../src/server/server_request.ts";

const FIELDS: [string, string][] = [
  ["Host", "a.example"],
  ["Upgrade", "websocket"],
  ["Connection", "Upgrade"],
  ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
  ["Sec-WebSocket-Version", "13"],
];

function decided(
  options: ServerOptions,
  fields: [string, string][] = [],
  target = "/",
): Decision | Promise<Decision> {
  const all = [...FIELDS, ...fields];
  const head: RequestHead = {
    method: "GET",
    target,
    version: "1.1",
    headers: new HeaderMap(all),
  };
  const remote = { scheme: "ws", address: null, port: null, isLocal: false } as const;
  const request = new UpgradeServerRequest(target, all.flat(), remote);
  return decide(head, request, checkServerOptions({ onError: () => {}, ...options }));
}

function status(decision: Decision | Promise<Decision>): number {
  if ("then" in decision) throw new Error("Decided later");
  return decision.refusal?.status ?? 101;
}

Deno.test("the decision is synchronous, unless verify is asynchronous", async () => {
  assertEquals(status(decided({})), 101);
  assertEquals(status(decided({ verify: () => true })), 101);
  const later = decided({ verify: () => Promise.resolve(true) });
  assertEquals(typeof (later as Promise<unknown>).then, "function");
  assertEquals(status(await later), 101);
});

Deno.test("only true admits a client", async () => {
  const verdicts = [false, undefined, null, 0, 1, "yes", {}, { status: 403 }];
  for (const verdict of verdicts) {
    const verify = (() => verdict) as unknown as () => boolean;
    const got = status(decided({ verify }));
    // A value that is neither a boolean nor a refusal is an error of the server.
    const isAnswer = verdict === false || JSON.stringify(verdict) === '{"status":403}';
    const expected = isAnswer ? 403 : 500;
    assertEquals(got, expected, JSON.stringify(verdict));
    const asyncVerify = (() => Promise.resolve(verdict)) as unknown as () => Promise<boolean>;
    assertEquals(status(await decided({ verify: asyncVerify })), expected);
  }
});

Deno.test("the server sends a refusal of verify unchanged", () => {
  const decision = decided({
    verify: () => ({
      status: 401,
      headers: { "WWW-Authenticate": "Basic" },
      body: "Who are you?",
    }),
  });
  if ("then" in decision) throw new Error("Decided later");
  const { refusal } = decision;
  assertEquals([refusal?.status, refusal?.statusText, refusal?.body], [
    401,
    "Unauthorized",
    "Who are you?",
  ]);
  assertEquals(refusal?.headers.find(([name]) => name === "WWW-Authenticate")?.[1], "Basic");
});

Deno.test("an error of the user's functions becomes a 500 that keeps its cause", async () => {
  const cause = new Error("broken");
  const fail = (): never => {
    throw cause;
  };
  const faulty: ServerOptions[] = [
    { verify: fail },
    { verify: () => Promise.reject(cause) },
    { protocols: fail },
    { headers: fail },
  ];
  for (const options of faulty) {
    const decision = await decided(options);
    assertEquals([status(decision), (decision as Refused).cause], [500, cause]);
  }
  const unoffered = decided({ protocols: () => "unoffered" });
  assertEquals(status(unoffered), 500);
});

Deno.test("verify isn't called for requests that the server refuses anyway", () => {
  let asked = 0;
  const verify = (): boolean => {
    asked++;
    return true;
  };
  assertEquals(status(decided({ verify }, [["Origin", "https://evil.example"]])), 403);
  assertEquals(status(decided({ verify }, [["Sec-WebSocket-Key", "x"]])), 400);
  assertEquals(status(decided({ verify }, [], "*")), 400);
  assertEquals(asked, 0);
});

Deno.test("compression is negotiated last, and only for an admitted client", () => {
  const order: string[] = [];
  const note = <T>(what: string, answer: T) => () => {
    order.push(what);
    return answer;
  };
  const options = (isWelcome: boolean): ServerOptions => ({
    compression: note("compression", true),
    verify: note("verify", isWelcome),
    protocols: note("protocols", null),
    headers: note("headers", {}),
  });
  for (const isWelcome of [true, false]) {
    decided(options(isWelcome), [["Sec-WebSocket-Extensions", "permessage-deflate"]]);
  }
  assertEquals([order.slice(0, 4).at(-1), order.slice(4)], ["compression", ["verify"]]);
});

Deno.test("an acceptance has the negotiated subprotocol, header fields and compression", () => {
  const offer: [string, string][] = [
    ["Sec-WebSocket-Protocol", "v1, v2"],
    ["Sec-WebSocket-Extensions", "permessage-deflate"],
  ];
  const agreed = (options: ServerOptions): Acceptance => {
    const decision = decided(options, offer);
    if ("then" in decision || decision.acceptance === null) throw new Error("Not accepted");
    return decision.acceptance;
  };
  const { protocol, extensions, headers } = agreed({});
  assertEquals([protocol, extensions, headers], [null, "", []]);
  assertEquals(agreed({ protocols: ["v2", "v1"] }).protocol, "v2");
  assertEquals(agreed({ protocols: ({ protocols }) => protocols[0] ?? null }).protocol, "v1");
  assertEquals(agreed({ protocols: () => null }).protocol, null);
  assertEquals(agreed({ headers: { "Set-Cookie": "a=b" } }).headers, [["Set-Cookie", "a=b"]]);
  assertEquals(agreed({ headers: ({ url }) => ({ "X-Path": url.pathname }) }).headers, [[
    "X-Path",
    "/",
  ]]);
  assertEquals(agreed({ compression: true }).extensions.startsWith("permessage-deflate"), true);
  for (const answer of [true, { threshold: 0 }, false]) {
    const { extensions } = agreed({ compression: () => answer });
    assertEquals(extensions.startsWith("permessage-deflate"), answer !== false);
  }
});
