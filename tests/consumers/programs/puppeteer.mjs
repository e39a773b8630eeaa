/** puppeteer-core, with Chromium: its transport over a channel, and an answer of 150 MB. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import puppeteer from "puppeteer-core";
import { WebSocketChannel } from "web-socket-channel";
import { run } from "./support.mjs";

/** Starts Chromium, and returns the address of its DevTools. */
async function launch() {
  const profile = await mkdtemp(join(tmpdir(), "chromium-"));
  const path = process.argv[2] || "chromium";
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
  const child = spawn(path, [...flags, "--remote-debugging-port=0", `--user-data-dir=${profile}`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  process.on("exit", () => child.kill("SIGKILL"));
  let said = "";
  const url = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", () => reject(new Error(`Chromium ended:\n${said}`)));
    child.stderr.on("data", (chunk) => {
      said += chunk;
      const [, found] = /DevTools listening on (ws:\S+)/.exec(said) ?? [];
      if (found !== undefined) resolve(found);
    });
  });
  const stop = async () => {
    child.removeAllListeners("exit");
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
    await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  return { url, stop };
}

await run(async () => {
  const { url, stop } = await launch();
  try {
    const channel = await WebSocketChannel.open(url, { maxMessageSize: 400_000_000 });
    const transport = {
      send: (message) => void channel.sink.add(message),
      close: () => void channel.sink.close(),
    };
    channel.stream.listen((message) => transport.onmessage?.(message), {
      onDone: () => transport.onclose?.(),
    });
    const browser = await puppeteer.connect({ transport });

    const page = await browser.newPage();
    await page.setContent("<h1>hello</h1>");
    assert.equal(await page.$eval("h1", (it) => it.textContent), "hello");
    const size = 150_000_000;
    const text = await page.evaluate((size) => "x".repeat(size), size);
    assert.equal(text.length, size);
    await browser.disconnect();
    await channel.closed;
  } finally {
    await stop();
  }
});
