// Deno only: starts a browser

/** Tests in Chromium: offline and online, freezing and throttling, through the DevTools protocol. */

import { assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import type { Tab } from "../support/dev_tools.ts";
import { leftOut } from "../support/needs.ts";
import { until } from "../support/turns.ts";
import { chromium, ENTRY, PageServer, setOffline } from "./chromium.ts";
import { Network } from "./network.ts";
import { printTime } from "./times.ts";

/** A time limit: without our detection, a dead connection stays for minutes. */
const PATIENCE = 30_000;

const PAGE = `
import { ReconnectingChannel } from ${ENTRY};

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

interface Rig {
  readonly tab: Tab;
  readonly network: Network;
  readonly heard: Heard;
  /** Connects, and waits until the channel is open. */
  connect(interval: number): Promise<void>;
  states(): Promise<string>;
}

/** The page's messages: the number of its heartbeats, and its echoes. */
interface Heard {
  pings: number;
  readonly echoes: string[];
}

/** Answers heartbeats, and stores the other messages. */
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
  await using page = await PageServer.start("reconnecting", PAGE);
  const { network, url } = await Network.start([page.origin]);
  const heard = serve(network);
  try {
    const tab = await page.open();
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
    await network.close();
  }
}

function browserTest(name: string, body: (rig: Rig) => Promise<void>): void {
  Deno.test({
    name: `Chromium: ${name}${leftOut("Chromium", chromium !== null)}`,
    ignore: chromium === null,
    fn: () => inPage(body),
  });
}

/** The page echoes a message, on its latest connection. */
async function assertEchoes({ network, heard }: Rig, message: string): Promise<void> {
  network.guests.at(-1)?.sink.add(message);
  await until(() => heard.echoes.includes(message));
}

async function setFrozen({ tab }: Rig, isFrozen: boolean): Promise<void> {
  await tab.send("Page.setWebLifecycleState", { state: isFrozen ? "frozen" : "active" });
}

browserTest("offline pauses the attempts, online resumes them", async (rig) => {
  const { tab, network, connect } = rig;
  await connect(0);
  await assertEchoes(rig, "one");
  await setOffline(tab, true);
  network.guests[0]?.terminate();
  await tab.evaluate(`(async () => {
    while (channel.state.name !== "paused") await new Promise((it) => setTimeout(it));
  })()`);
  await setOffline(tab, false);
  await until(() => network.guests.length === 2);
  await assertEchoes(rig, "two");
  assertEquals(await rig.states(), "connecting open paused connecting open");
});

browserTest("a page that becomes visible again replaces a dead connection", async (rig) => {
  const { tab, network, connect } = rig;
  await connect(0);
  await assertEchoes(rig, "one");
  await tab.show(false);
  network.swallow();
  await tab.show(true);
  const before = performance.now();
  await until(() => network.guests.length === 2);
  printTime("Chromium: the connection is dead, without a sign of it", performance.now() - before);
  await assertEchoes(rig, "two");
  assertEquals(await rig.states(), "connecting open waiting connecting open");
});

browserTest(
  "a page that was frozen has lost its connection, and reconnects when it resumes",
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

browserTest("a page whose CPU was busy keeps a healthy connection", async (rig) => {
  const { tab, network, connect } = rig;
  await connect(100);
  await tab.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  // Longer than the deadline of a heartbeat, and longer than the threshold of a sleep.
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
