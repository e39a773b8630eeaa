/**
 * Checks the table of native capabilities on the current runtime: the tests use each capability that
 * the table claims, and show that each other one is missing.
 */

import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import {
  ConnectError,
  type ConnectOptions,
  UnsupportedError,
  WebSocketChannel,
} from "../../mod.ts";
import { hasNativeWebSocket, nativeCapabilities } from "../../src/native/native_capabilities.ts";
import { type Capability, NO_CAPABILITIES } from "../../src/web_socket/capabilities.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { statsWhenIdle, withRecipe } from "../support/recipes.ts";

function connect(url: string, options: ConnectOptions = {}): WebSocketChannel {
  return WebSocketChannel.connect(url, { ...options, transport: "native" });
}

async function assertUnsupported(capability: string, options: ConnectOptions): Promise<void> {
  const channel = connect("ws://127.0.0.1:1", options);
  const error = await channel.ready.catch((it: unknown) => it);
  assertInstanceOf(error, UnsupportedError);
  assertEquals([error.capability, error.platform], [capability, platform()]);
}

interface Trial {
  /** Shows that the capability is present and works. */
  there(): Promise<void>;
  /** Shows that the capability is missing, and that using it reports an error. */
  missing(): Promise<void>;
}

function never(): Promise<void> {
  return Promise.reject(new Error("No platform's own WebSocket is known to be able to do this"));
}

const trials: Record<Capability, Trial> = {
  headers: {
    there: () =>
      withRecipe("echo", {}, async (server) => {
        const channel = connect(server.url, { headers: { "X-A": "b" } });
        await channel.ready;
        assertEquals((await server.next("request")).headers["x-a"], "b");
        await channel.sink.close();
      }),
    missing: () => assertUnsupported("headers", { headers: { "X-A": "b" } }),
  },
  ping: {
    there: never,
    missing: () =>
      withRecipe("echo", {}, async ({ url }) => {
        const channel = connect(url);
        await channel.ready;
        assertInstanceOf(await channel.ping().catch((it: unknown) => it), UnsupportedError);
        // Bun's sockets send pings, but do not report the answer.
        if (platform() !== "bun") assertEquals("ping" in WebSocket.prototype, false);
        await channel.sink.close();
        await assertUnsupported("ping", { pingInterval: 1000 });
      }),
  },
  terminate: {
    there: () =>
      withRecipe("watch", {}, async (server) => {
        const channel = connect(server.url);
        await channel.ready;
        channel.terminate();
        assertEquals((await server.next("close")).code, 1006);
      }),
    missing: () => {
      assertEquals("terminate" in WebSocket.prototype, false);
      return Promise.resolve();
    },
  },
  inboundBackpressure: {
    there: never,
    missing: () =>
      withRecipe("flood-until-blocked", { count: 600 }, async (server) => {
        const channel = connect(server.url);
        const subscription = channel.stream.listen(() => {});
        subscription.pause();
        await channel.ready;
        // A reader that paused at once still gets every message.
        const total = 600 * 65_536;
        while ((await server.stats()).bytesSent < total) await statsWhenIdle(server, 1);
        subscription.resume();
        await channel.closed;
      }),
  },
  messageLimit: {
    there: never,
    missing: () => assertUnsupported("messageLimit", { maxMessageSize: 10 }),
  },
  messageStreams: {
    there: never,
    missing: () => assertUnsupported("messageStreams", { streamLargerThan: 0 }),
  },
  compressionOptions: {
    there: never,
    missing: () =>
      withRecipe("echo", {}, async (server) => {
        const channel = connect(server.url);
        await channel.ready;
        const offer = (await server.next("request")).headers["sec-websocket-extensions"];
        // The platform has no finer settings.
        const fixed = platform() === "deno"
          ? undefined
          : "permessage-deflate; client_max_window_bits";
        assertEquals(offer, fixed);
        await channel.sink.close();
        await assertUnsupported("compressionOptions", { compression: false });
        await assertUnsupported("compressionOptions", { compression: { threshold: 1 } });
      }),
  },
  tls: {
    there: never,
    // reality_tls_test.ts shows that a server with the user's own authority is refused.
    missing: () => assertUnsupported("tls", { tls: { rejectUnauthorized: false } }),
  },
  proxy: {
    there: never,
    missing: () => assertUnsupported("proxy", { proxy: "http://127.0.0.1:1" }),
  },
  handshakeResponse: {
    there: never,
    missing: () =>
      withRecipe("echo", { headers: { "X-A": "b" } }, async ({ url }) => {
        const channel = connect(url);
        await channel.ready;
        assertEquals(channel.response, null);
        await channel.sink.close();
      }),
  },
  allCloseCodes: {
    there: () =>
      withRecipe("watch", {}, async (server) => {
        const channel = connect(server.url);
        await channel.ready;
        await channel.sink.close(1011, "broken");
        assertEquals((await server.next("close")).code, 1011);
      }),
    missing: () =>
      withRecipe("watch", {}, async ({ url }) => {
        const channel = connect(url);
        await channel.ready;
        assertThrows(() => channel.sink.close(1011, "broken"), RangeError);
        await channel.sink.close(1000);
      }),
  },
  failureCause: {
    there: never,
    missing: async () => {
      const attempt = async (status: number): Promise<ConnectError> => {
        let error: unknown;
        await withRecipe("http", { status, headers: { "Retry-After": "7" } }, async ({ url }) => {
          error = await connect(url).ready.catch((it: unknown) => it);
        });
        assertInstanceOf(error, ConnectError);
        return error;
      };
      // This includes Retry-After, which no platform's socket reports; Deno's and Bun's sockets report the status.
      const { phase, status, retryAfter } = await attempt(503);
      const isTold = platform() === "deno" || platform() === "bun";
      assertEquals(
        [phase, status, retryAfter],
        isTold ? ["handshake", 503, null] : [null, null, null],
      );
    },
  },
};

Deno.test("native capabilities: a test covers each", () => {
  assertEquals(Object.keys(trials).sort(), Object.keys(NO_CAPABILITIES).sort());
});

for (const [name, { there, missing }] of Object.entries(trials)) {
  const claimed = hasNativeWebSocket() && nativeCapabilities()[name as Capability];
  Deno.test({
    name: `native capabilities: ${name} is ${claimed ? "present" : "missing"}, as the table says`,
    ignore: !hasNativeWebSocket(),
    fn: claimed ? there : missing,
  });
}

Deno.test("native capabilities: a missing capability selects the net transport if there is one", {
  ignore: platform() === "browser",
}, async () => {
  for (const name of Object.keys(trials) as Capability[]) {
    await withRecipe("echo", {}, async ({ url }) => {
      const channel = WebSocketChannel.connect(url, { require: [name] });
      await channel.ready;
      assertEquals(channel.capabilities[name], true);
      await channel.sink.close();
    });
  }
});

Deno.test(
  "native capabilities: a required missing capability is an error without the net transport",
  {
    ignore: platform() !== "browser",
  },
  async () => {
    for (const name of Object.keys(trials) as Capability[]) {
      const channel = WebSocketChannel.connect("ws://127.0.0.1:1", { require: [name] });
      const error = await channel.ready.catch((it: unknown) => it);
      assertInstanceOf(error, UnsupportedError);
      assertEquals([error.capability, error.platform], [name, "browser"]);
    }
  },
);
