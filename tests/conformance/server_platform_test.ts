/** Our own client connects to servers that use the upgrades of `Deno.serve` and `Bun.serve`. */

import { WebSocketChannel } from "../../mod.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { startPlatformRecipe } from "../server/platform_recipes.ts";
import { allBut } from "./left_out.ts";
import { OWN_TRAITS, testWebSocketChannel } from "./mod.ts";

if (platform() === "deno" || platform() === "bun") {
  testWebSocketChannel(`${platform() === "deno" ? "Deno" : "Bun"}.serve, our client`, {
    traits: OWN_TRAITS,
    connect: (url, options) => WebSocketChannel.connect(url, { ...options, transport: "net" }),
    startRecipe: startPlatformRecipe,
    test: allBut(
      platform() === "deno"
        ? [[
          "Deno's own socket treats 1014 as a protocol error",
          "every code that RFC 6455",
        ]]
        : [],
    ),
  });
}
