/** Recipes of well-behaved servers, run on our own server with `acceptUpgrade`. */

import { acceptUpgrade, type ServerWebSocketChannel } from "../../src/server/mod.ts";
import type { ServerOptions } from "../../src/server/mod.ts";
import { content } from "../support/polite_recipes.ts";
import type { RecipeConnection, RecipeHost } from "../support/recipe_connection.ts";
import { listen, type Recipe } from "../support/recipe_server.ts";
import {
  type RecipeName,
  type RecipeOptions,
  type RecipeServer,
  startRecipe,
} from "../support/recipes.ts";
import { hex } from "../support/bytes.ts";

/** A recipe's action on a connecting channel. */
export type ServerRecipe = (
  channel: ServerWebSocketChannel,
  host: RecipeHost,
) => void | Promise<void>;

/** The recipes that a well-behaved server can follow, by name. The other recipes run on raw sockets. */
export const serverRecipes: Readonly<Partial<Record<RecipeName, ServerRecipe>>> = {
  echo: (channel, host) => echo(channel, host),
  "slow-upgrade": (channel, host) => echo(channel, host),
  "echo-close": (channel, host) => {
    const { code = 3001, reason = "you asked me to" } = host.options;
    listenTo(channel, host, (message) => {
      if (message === "close") void channel.sink.close(code, reason);
      else channel.sink.add(message);
    });
  },
  watch: (channel, host) => listenTo(channel, host, () => {}),
  close: (channel, host) => {
    const { code = 4123, reason = "server closed the connection" } = host.options;
    listenTo(channel, host, () => void channel.sink.close(code, reason));
  },
  flood: (channel, host) => {
    const { count = 10_000, text = "Hello World!" } = host.options;
    listenTo(channel, host, () => {});
    for (let i = 0; i < count; i++) channel.sink.add(text);
  },
  greeting: (channel, host) => {
    listenTo(channel, host, (message) => {
      if (message !== "ping") return;
      channel.sink.add("pong");
      void channel.sink.close(3678, "raisin");
    });
    channel.sink.add("hello!");
  },
  "pong-close-watch": (channel, host) => {
    listenTo(channel, host, (message) => {
      if (message === "ping") channel.sink.add("pong");
    });
  },
  push: async (channel, host) => {
    const { messages = [], code, reason } = host.options;
    const first = new Promise<void>((resolve) => listenTo(channel, host, () => resolve()));
    if (host.options.wait === "release") await host.released();
    if (host.options.wait === "data") await first;
    await channel.ready;
    for (const message of messages) channel.sink.add(content(message));
    if (code !== undefined) void channel.sink.close(code, reason);
  },
  proto: (channel, host) => {
    listenTo(channel, host, (message) => {
      channel.sink.add(message);
      void channel.sink.close(1000);
    });
  },
};

function echo(channel: ServerWebSocketChannel, host: RecipeHost): void {
  listenTo(channel, host, (message) => channel.sink.add(message));
}

function listenTo(
  channel: ServerWebSocketChannel,
  host: RecipeHost,
  onMessage: (message: string | Uint8Array) => void,
): void {
  channel.stream.listen((message) => {
    host.report(
      typeof message === "string"
        ? { kind: "message", text: message }
        : { kind: "message", binary: hex(message) },
    );
    onMessage(message);
  });
}

/** Reports how a channel ended, if it was ever open. */
export async function reportClose(
  channel: ServerWebSocketChannel,
  host: Pick<RecipeHost, "report">,
): Promise<void> {
  try {
    await channel.ready;
  } catch {
    return;
  }
  const { received, error } = await channel.closed;
  if ((error as Error | undefined)?.name === "ProtocolError") {
    host.report({ kind: "fault", message: String(error) });
  }
  host.report({ kind: "close", code: received?.code ?? 1006, reason: received?.reason ?? "" });
}

/** Converts a recipe's options to a server's options. */
export function serverOptions(
  name: RecipeName,
  options: RecipeOptions,
  released: () => Promise<void>,
): ServerOptions {
  const { compression = false, headers } = options;
  return {
    // Pings would count as traffic.
    pingInterval: 0,
    compression: typeof compression === "object" ? { threshold: 0 } : compression,
    ...(headers === undefined ? {} : { headers }),
    ...(name === "slow-upgrade" ? { verify: () => released().then(() => true) } : {}),
    protocols: ({ url, protocols }) => {
      const asked = name === "proto" ? url.searchParams.get("protocol") : null;
      const wanted = asked ?? options.protocol;
      if (wanted !== undefined) return protocols.includes(wanted) ? wanted : null;
      return name === "proto" ? null : protocols[0] ?? null;
    },
  };
}

/** Runs a recipe on a channel of our own server, over the TCP connection of a recipe's server. */
function overTcp(name: RecipeName, recipe: ServerRecipe): Recipe {
  return async (connection: RecipeConnection) => {
    const { host, socket } = connection;
    const request = await connection.readRequest();
    host.report(request);
    connection.endsWithClient = false;
    const channel = acceptUpgrade(
      {
        method: request.method,
        url: request.path,
        httpVersion: "1.1",
        rawHeaders: request.lines.flat(),
      },
      socket,
      connection.detach(),
      serverOptions(name, host.options, () => host.released()),
    );
    void reportClose(channel, host);
    await recipe(channel, host);
  };
}

/** Starts a recipe on our own server, if a well-behaved server can follow it. */
export function startServerRecipe(
  name: RecipeName,
  options: RecipeOptions = {},
): Promise<RecipeServer> {
  const recipe = serverRecipes[name];
  return recipe === undefined ? startRecipe(name, options) : listen(overTcp(name, recipe), options);
}
