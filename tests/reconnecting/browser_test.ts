// Deno only: it starts a browser

/** In Chromium: offline and online, freezing and throttling, by the DevTools protocol. */

import { assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { findChromium } from "../../tasks/test_browser.ts";
import { esbuild, OUT, succeed } from "../../tasks/tools.ts";
import { DevTools, type Tab } from "../support/dev_tools.ts";
import { until } from "../support/turns.ts";
import { Network } from "./network.ts";

const chromium = await findChromium();

/** A dead connection that only the platform would notice stays for minutes. */
const PATIENCE = 30_000;

const PAGE = `
import { ReconnectingChannel } from ${
  JSON.stringify(new URL("../../src/reconnecting/page.ts", import.meta.url).pathname)
};

globalThis.states = [];
globalThis.connect = (url, interval) => {
  const channel = globalThis.channel = ReconnectingChannel.connect(url, {
    heartbeat: { interval, timeout: 2000, message: () => "ping", isReply: (it) => it === "pong" },
    onState: ({ name }) => states.push(name),
  });
  channel.stream.listen((message) => channel.sink.add(message));
};
globalThis.spin = (ms) => {
  const end = performance.now() + ms;
  while (performance.now() < end);
};
`;

/** The page's code. */
async function bundled(): Promise<string> {
  const [input, output] = ["reconnecting.mjs", "reconnecting.out.js"].map((it) =>
    new URL(`browser/${it}`, OUT).pathname
  ) as [string, string];
  await Deno.mkdir(new URL("browser/", OUT), { recursive: true });
  await Deno.writeTextFile(input, PAGE);
  await succeed([...await esbuild(), input, "--bundle", "--format=esm", `--outfile=${output}`]);
  return await Deno.readTextFile(output);
}

interface Rig {
  readonly tab: Tab;
  readonly network: Network;
  readonly heard: Heard;
  /** Connects, and waits for it. */
  connect(interval: number): Promise<void>;
  states(): Promise<string>;
}

/** What the page has sent: the number of its heartbeats, and its echoes. */
interface Heard {
  pings: number;
  readonly echoes: string[];
}

/** Answers heartbeats, and keeps the rest. */
function serve(network: Network): Heard {
  const heard: Heard = { pings: 0, echoes: [] };
  network.onGuest = (guest) => {
    guest.stream.listen((message) => {
      if (message !== "ping") return void heard.echoes.push(message as string);
      heard.pings++;
      guest.sink.add("pong");
    });
  };
  return heard;
}

async function inPage(body: (rig: Rig) => Promise<void>): Promise<void> {
  const code = await bundled();
  const files = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    ({ url }) =>
      url.endsWith(".js")
        ? new Response(code, { headers: { "content-type": "text/javascript" } })
        : new Response(`<script type="module" src="page.js"></script>`, {
          headers: { "content-type": "text/html" },
        }),
  );
  const origin = `http://127.0.0.1:${files.addr.port}`;
  const { network, url } = await Network.start([origin]);
  const heard = serve(network);
  const browser = await DevTools.start(chromium as string);
  try {
    const tab = await browser.open(`${origin}/`, "globalThis.connect !== undefined");
    const rig: Rig = {
      tab,
      network,
      heard,
      async connect(interval) {
        await tab.evaluate(`connect(${JSON.stringify(url)}, ${interval})`);
        await until(() => network.guests.length === 1);
      },
      states: async () => String(await tab.evaluate(`states.join(" ")`)),
    };
    await deadline(body(rig), PATIENCE);
  } finally {
    await browser.close();
    await network.close();
    await files.shutdown();
  }
}

function browserTest(name: string, body: (rig: Rig) => Promise<void>): void {
  Deno.test({ name: `Chromium: ${name}`, ignore: chromium === null, fn: () => inPage(body) });
}

/** The page echoes a message, on its latest connection. */
async function assertEchoes({ network, heard }: Rig, message: string): Promise<void> {
  network.guests.at(-1)?.sink.add(message);
  await until(() => heard.echoes.includes(message));
}

/** Takes the network from the page, or gives it back. */
async function setOffline({ tab }: Rig, offline: boolean): Promise<void> {
  await tab.send("Network.enable");
  const unlimited = { latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
  await tab.send("Network.emulateNetworkConditions", { offline, ...unlimited });
}

async function setFrozen({ tab }: Rig, isFrozen: boolean): Promise<void> {
  await tab.send("Page.setWebLifecycleState", { state: isFrozen ? "frozen" : "active" });
}

browserTest("offline pauses the attempts, online ends that", async (rig) => {
  const { tab, network, connect } = rig;
  await connect(0);
  await assertEchoes(rig, "one");
  await setOffline(rig, true);
  network.guests[0]?.terminate();
  await tab.evaluate(`(async () => {
    while (channel.state.name !== "paused") await new Promise((it) => setTimeout(it));
  })()`);
  await setOffline(rig, false);
  await until(() => network.guests.length === 2);
  await assertEchoes(rig, "two");
  assertEquals(await rig.states(), "connecting open paused connecting open");
});

browserTest("a page that is seen again replaces a dead connection", async (rig) => {
  const { tab, network, connect } = rig;
  await connect(0);
  await assertEchoes(rig, "one");
  await tab.show(false);
  network.swallow();
  await tab.show(true);
  const before = performance.now();
  await until(() => network.guests.length === 2);
  if (Deno.env.get("TEST_TIMES") !== undefined) {
    console.log(`seen again: ${Math.round(performance.now() - before)} ms`);
  }
  await assertEchoes(rig, "two");
  assertEquals(await rig.states(), "connecting open waiting connecting open");
});

browserTest(
  "a page that was frozen has lost its connection, and connects when it resumes",
  async (rig) => {
    const { tab, network, connect } = rig;
    await connect(200);
    await tab.show(false);
    // Chromium closes the connections of a page that it freezes.
    await setFrozen(rig, true);
    await setFrozen(rig, false);
    await tab.show(true);
    await until(() => network.guests.length === 2);
    await assertEchoes(rig, "two");
    assertEquals(await rig.states(), "connecting open waiting connecting open");
  },
);

browserTest("a page whose processor was busy keeps a healthy connection", async (rig) => {
  const { tab, network, connect } = rig;
  await connect(100);
  await tab.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  // For longer than the deadline of a heartbeat, and longer than what counts as a sleep.
  await tab.evaluate("spin(3000)");
  for (let i = 0; i < 5; i++) await assertEchoes(rig, `${i}`);
  assertEquals([await rig.states(), network.guests.length], ["connecting open", 1]);
});

browserTest(
  "a hidden page, whose timers are throttled, keeps a healthy connection",
  async (rig) => {
    const { tab, network, heard, connect } = rig;
    await connect(100);
    await tab.show(false);
    const before = heard.pings;
    // Once a second, not ten times.
    await until(() => heard.pings >= before + 3);
    await assertEchoes(rig, "hidden");
    await tab.show(true);
    await assertEchoes(rig, "shown");
    assertEquals([await rig.states(), network.guests.length], ["connecting open", 1]);
  },
);
