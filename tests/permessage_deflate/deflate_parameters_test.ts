import { assert, assertEquals } from "@std/assert";
// @ts-types="./ws_deflate.d.ts"
import { extension, PerMessageDeflate } from "ws";
import {
  checkDeflateAnswer,
  chooseDeflate,
  type DeflateParameters,
  offerDeflate,
} from "../../src/permessage_deflate/deflate_parameters.ts";
import type {
  ClientCompressionOptions,
  CompressionOptions,
} from "../../src/permessage_deflate/compression_options.ts";
import { parseExtensions, serializeExtensions } from "../../src/handshake/extensions.ts";

const PLAIN: DeflateParameters = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
};

/** Every combination of options for a client or a server with these window bits. */
function* wishes(): Generator<CompressionOptions> {
  const bits = [8, 9, 12, 15, undefined];
  const flags = [true, false, undefined];
  for (const serverNoContextTakeover of flags) {
    for (const clientNoContextTakeover of flags) {
      for (const serverMaxWindowBits of bits) {
        for (const clientMaxWindowBits of bits) {
          const all = {
            serverNoContextTakeover,
            clientNoContextTakeover,
            serverMaxWindowBits,
            clientMaxWindowBits,
          };
          yield Object.fromEntries(Object.entries(all).filter(([, it]) => it !== undefined));
        }
      }
    }
  }
}

Deno.test("A client's offer contains its options, and its support of client_max_window_bits", () => {
  const cases: [ClientCompressionOptions, string][] = [
    [{}, "permessage-deflate; client_max_window_bits"],
    [{ offer: "bare" }, "permessage-deflate"],
    [
      { offer: "bare", clientNoContextTakeover: true, clientMaxWindowBits: 10 },
      "permessage-deflate",
    ],
    [
      { serverMaxWindowBits: 15, clientMaxWindowBits: 15, clientNoContextTakeover: false },
      "permessage-deflate; client_max_window_bits",
    ],
    [
      {
        serverNoContextTakeover: true,
        clientNoContextTakeover: true,
        serverMaxWindowBits: 8,
        clientMaxWindowBits: 10,
      },
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover; " +
      "server_max_window_bits=8; client_max_window_bits=10",
    ],
  ];
  for (const [options, text] of cases) {
    assertEquals(serializeExtensions([offerDeflate(options)]), text);
  }
});

Deno.test("A server accepts the first offer that it supports", () => {
  const cases: [string, CompressionOptions, string | null][] = [
    ["permessage-deflate", {}, "permessage-deflate"],
    ["x, permessage-deflate", {}, "permessage-deflate"],
    ["x", {}, null],
    ["permessage-deflate; client_max_window_bits", {}, "permessage-deflate"],
    [
      "permessage-deflate; client_max_window_bits",
      { clientMaxWindowBits: 10 },
      "permessage-deflate; client_max_window_bits=10",
    ],
    [
      "permessage-deflate; client_max_window_bits=9",
      { clientMaxWindowBits: 10 },
      "permessage-deflate; client_max_window_bits=9",
    ],
    // RFC 7692 §7.1.2.2: the answer must not contain it unless the offer does.
    ["permessage-deflate", { clientMaxWindowBits: 10 }, null],
    [
      "permessage-deflate, permessage-deflate; client_max_window_bits",
      { clientMaxWindowBits: 10 },
      "permessage-deflate; client_max_window_bits=10",
    ],
    // RFC 7692 §7.1.2.1: the answer may contain it in any case, and must if the offer does.
    [
      "permessage-deflate",
      { serverMaxWindowBits: 12 },
      "permessage-deflate; server_max_window_bits=12",
    ],
    [
      "permessage-deflate; server_max_window_bits=15",
      {},
      "permessage-deflate; server_max_window_bits=15",
    ],
    [
      "permessage-deflate; server_max_window_bits=8",
      { serverMaxWindowBits: 12 },
      "permessage-deflate; server_max_window_bits=8",
    ],
    // RFC 7692 §7.1.1: the answer may contain it in any case, and must if the offer does.
    [
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
      {},
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    ],
    [
      "permessage-deflate",
      { serverNoContextTakeover: true, clientNoContextTakeover: true },
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    ],
    // RFC 7692 §7.1: illegal offers are declined, and the next one is checked.
    ["permessage-deflate; unknown", {}, null],
    ["permessage-deflate; server_max_window_bits", {}, null],
    ["permessage-deflate; server_max_window_bits=7", {}, null],
    ["permessage-deflate; client_max_window_bits=16, permessage-deflate", {}, "permessage-deflate"],
  ];
  for (const [offer, options, expected] of cases) {
    const choice = chooseDeflate(parseExtensions(offer), options);
    const answer = choice && serializeExtensions([choice.answer]);
    assertEquals(answer, expected, `${offer} with ${JSON.stringify(options)}`);
  }
});

Deno.test("For all options of both sides, the client reads what the server's answer means", () => {
  for (const client of wishes()) {
    const offer = parseExtensions(serializeExtensions([offerDeflate(client)]));
    for (const server of wishes()) {
      const choice = chooseDeflate(offer, server);
      assert(choice !== null);
      const answer = parseExtensions(serializeExtensions([choice.answer]));
      const context = `client ${JSON.stringify(client)}, server ${JSON.stringify(server)}`;
      assertEquals(checkDeflateAnswer(answer, client), choice.parameters, context);
      assertEquals(choice.parameters, {
        serverNoContextTakeover: !!client.serverNoContextTakeover ||
          !!server.serverNoContextTakeover,
        clientNoContextTakeover: !!client.clientNoContextTakeover ||
          !!server.clientNoContextTakeover,
        serverMaxWindowBits: Math.min(
          client.serverMaxWindowBits ?? 15,
          server.serverMaxWindowBits ?? 15,
        ),
        clientMaxWindowBits: Math.min(
          client.clientMaxWindowBits ?? 15,
          server.clientMaxWindowBits ?? 15,
        ),
      }, context);
    }
  }
});

Deno.test("A client accepts a server's answer that fits the offer", () => {
  const cases: [string, ClientCompressionOptions, Partial<DeflateParameters>][] = [
    ["permessage-deflate", {}, {}],
    ["permessage-deflate; server_max_window_bits=9", { offer: "bare" }, { serverMaxWindowBits: 9 }],
    [
      "permessage-deflate",
      { offer: "bare", clientNoContextTakeover: true, clientMaxWindowBits: 10 },
      { clientNoContextTakeover: true, clientMaxWindowBits: 10 },
    ],
    // RFC 7692 §7.1.1 and §7.1.2.1: the answer may contain these without an offer.
    ["permessage-deflate; server_no_context_takeover", {}, { serverNoContextTakeover: true }],
    ["permessage-deflate; client_no_context_takeover", {}, { clientNoContextTakeover: true }],
    ["permessage-deflate; server_max_window_bits=9", {}, { serverMaxWindowBits: 9 }],
    ['permessage-deflate; server_max_window_bits="9"', {}, { serverMaxWindowBits: 9 }],
    ["permessage-deflate; client_max_window_bits=8", {}, { clientMaxWindowBits: 8 }],
    // The client applies the parameters of its own offer.
    ["permessage-deflate", { clientNoContextTakeover: true }, { clientNoContextTakeover: true }],
    ["permessage-deflate", { clientMaxWindowBits: 10 }, { clientMaxWindowBits: 10 }],
    [
      "permessage-deflate; client_max_window_bits=9; server_max_window_bits=10",
      { clientMaxWindowBits: 10, serverMaxWindowBits: 10 },
      { clientMaxWindowBits: 9, serverMaxWindowBits: 10 },
    ],
  ];
  for (const [answer, options, expected] of cases) {
    const agreed = checkDeflateAnswer(parseExtensions(answer), options);
    assertEquals(agreed, { ...PLAIN, ...expected }, answer);
  }
  assertEquals(checkDeflateAnswer([], {}), null);
  assertEquals(checkDeflateAnswer([], null), null);
});

Deno.test("A client rejects a server's answer that does not fit the offer", () => {
  const cases: [string, ClientCompressionOptions | null][] = [
    ["permessage-deflate", null],
    ["permessage-deflate; client_max_window_bits=15", { offer: "bare" }],
    ["x-webkit-deflate-frame", {}],
    ["permessage-deflate, x", {}],
    ["Permessage-Deflate", {}],
    ["permessage-deflate, permessage-deflate", {}],
    ["permessage-deflate; unknown", {}],
    ["permessage-deflate; __proto__=15", {}],
    ["permessage-deflate; server_no_context_takeover; server_no_context_takeover", {}],
    ["permessage-deflate; server_no_context_takeover=1", {}],
    ["permessage-deflate; client_no_context_takeover=true", {}],
    ["permessage-deflate; server_max_window_bits", {}],
    ["permessage-deflate; client_max_window_bits", {}],
    ["permessage-deflate", { serverNoContextTakeover: true }],
    ["permessage-deflate", { serverMaxWindowBits: 10 }],
    ["permessage-deflate; server_max_window_bits=11", { serverMaxWindowBits: 10 }],
    ["permessage-deflate; client_max_window_bits=11", { clientMaxWindowBits: 10 }],
  ];
  for (const bits of ["7", "16", "08", "010", "1e1", "-8", "8.0", "99999999999999999999", "0x9"]) {
    cases.push([`permessage-deflate; server_max_window_bits=${bits}`, {}]);
    cases.push([`permessage-deflate; client_max_window_bits=${bits}`, {}]);
  }
  for (const [answer, options] of cases) {
    assertEquals(typeof checkDeflateAnswer(parseExtensions(answer), options), "string", answer);
  }
});

Deno.test("A client's rejection names the fault", () => {
  const check = (answer: string): unknown => checkDeflateAnswer(parseExtensions(answer), {});
  assertEquals(check("foo"), "foo was not offered");
  assertEquals(check("permessage-deflate; a"), "the parameter a is invalid");
  assertEquals(
    check("permessage-deflate; server_max_window_bits=7"),
    "the parameter server_max_window_bits is invalid",
  );
});

/** Returns an object without members that have a default value: `undefined`, `false` or 15. */
function explicit(wishes: CompressionOptions): Record<string, number | true> {
  const entries = Object.entries(wishes).filter(([, it]) => it && it !== 15);
  return Object.fromEntries(entries) as Record<string, number | true>;
}

Deno.test("The answer of ws to our offer is accepted, with the parameters that ws uses", () => {
  for (const client of wishes()) {
    const offer = extension.parse(serializeExtensions([offerDeflate(client)]));
    for (const server of wishes()) {
      const context = `client ${JSON.stringify(client)}, server ${JSON.stringify(server)}`;
      const peer = new PerMessageDeflate({ isServer: true, ...explicit(server) });
      let accepted;
      try {
        accepted = peer.accept(offer["permessage-deflate"] ?? []);
      } catch {
        // ws declines if the two limits do not fit; its answer then has no extension.
        continue;
      }
      const answer = parseExtensions(extension.format({ "permessage-deflate": [accepted] }));
      const agreed = checkDeflateAnswer(answer, client);
      if (typeof agreed === "string") throw new Error(`${context}: ${agreed}`);
      assertEquals(agreed?.serverMaxWindowBits, accepted.server_max_window_bits ?? 15, context);
      const clientBits = accepted.client_max_window_bits ?? client.clientMaxWindowBits ?? 15;
      assertEquals(agreed?.clientMaxWindowBits, clientBits, context);
      assertEquals(agreed?.serverNoContextTakeover, !!accepted.server_no_context_takeover, context);
    }
  }
});

Deno.test("ws accepts our answer to its offer, with the parameters that we use", () => {
  for (const client of wishes()) {
    const peer = (): PerMessageDeflate =>
      new PerMessageDeflate({ clientMaxWindowBits: true, ...explicit(client) });
    const offer = parseExtensions(extension.format({ "permessage-deflate": [peer().offer()] }));
    for (const server of wishes()) {
      const context = `client ${JSON.stringify(client)}, server ${JSON.stringify(server)}`;
      const choice = chooseDeflate(offer, server);
      assert(choice !== null, context);
      const answer = extension.parse(serializeExtensions([choice.answer]))["permessage-deflate"];
      const read = peer().accept(answer ?? []);
      const { parameters } = choice;
      assertEquals(read.server_max_window_bits ?? 15, parameters.serverMaxWindowBits, context);
      assertEquals(read.client_max_window_bits ?? 15, parameters.clientMaxWindowBits, context);
      assertEquals(
        [!!read.server_no_context_takeover, !!read.client_no_context_takeover],
        [parameters.serverNoContextTakeover, parameters.clientNoContextTakeover],
        context,
      );
    }
  }
});
