/** The reason in the name of a left-out test: the missing program, and the command that installs it. */

/** How to install each program that tests start. */
export const INSTALL: Readonly<Record<string, string>> = {
  "apache2": "apt-get install -y apache2",
  "Bun": "npm install -g bun",
  "caddy": "apt-get install -y caddy",
  "Chromium": "apt-get install -y chromium",
  "dante": "apt-get install -y dante-server",
  "Deno": "npm install -g deno",
  "haproxy": "apt-get install -y haproxy",
  "microsocks": "apt-get install -y microsocks",
  "mosquitto": "apt-get install -y mosquitto",
  "nats-server": "apt-get install -y nats-server",
  "nghttpx": "apt-get install -y nghttp2-proxy",
  "nginx": "apt-get install -y nginx",
  "Node": "apt-get install -y nodejs, or from https://nodejs.org, version 20 or later",
  "Python": "apt-get install -y python3",
  "Python's hypercorn": "apt-get install -y python3-hypercorn",
  "Python's websockets": "apt-get install -y python3-websockets",
  "redis-server": "apt-get install -y redis-server",
  "squid": "apt-get install -y squid",
  "the newest Node": "npm has it, when the registry can be reached",
  "tinyproxy": "apt-get install -y tinyproxy",
};

/** The entry of the program; programs also refer to it by its number. */
const NEWEST = "the newest Node";

/**
 * The end of a test's name.
 *
 * @param program A name of {@linkcode INSTALL}.
 * @param isThere Whether the program is installed: then the text is empty.
 */
export function leftOut(program: string, isThere: boolean): string {
  const reason = missing(program, isThere);
  return reason === null ? "" : ` (left out: ${reason})`;
}

/** As {@linkcode leftOut}, the reason alone; `null` when the program is installed. */
export function missing(program: string, isThere: boolean): string | null {
  const command = INSTALL[/^(?:the )?newest Node$|^Node \d+$/.test(program) ? NEWEST : program];
  if (command === undefined) throw new RangeError(`Add ${program} to tests/support/needs.ts`);
  return isThere ? null : `${program} is not installed; ${command}`;
}
