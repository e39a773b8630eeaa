import type { ConnectOptions } from "../web_socket/options.ts";
import { codeOf } from "../realm/kinds.ts";
import type { TlsOptions } from "../web_socket/tls_options.ts";
import { type Arguments, type Options, UsageError } from "./args.ts";
import { module } from "./process.ts";

/** The options of a connection. */
export const CLIENT: Options = {
  header: {
    type: "string",
    short: "H",
    multiple: true,
    value: "'NAME: VALUE'",
    help: "a header field of the request; repeatable",
  },
  protocol: {
    type: "string",
    multiple: true,
    value: "NAME",
    help: "a subprotocol to offer; repeatable",
  },
  origin: { type: "string", value: "ORIGIN", help: "the Origin header field" },
  proxy: {
    type: "string",
    value: "URL",
    help: "an http:, https:, socks5: or socks5h: proxy, environment, or none",
  },
  ca: {
    type: "string",
    value: "FILE",
    help: "certificates to trust instead of the system's, as PEM",
  },
  insecure: { type: "boolean", help: "do not verify the server's certificate" },
  compression: { type: "boolean", help: "offer permessage-deflate" },
  "connect-timeout": {
    type: "string",
    value: "SECONDS",
    help: "the timeout of connecting (default 30)",
  },
};

/**
 * Where to connect to: a host alone counts as `ws:`.
 *
 * @throws {UsageError} When it is no URL.
 */
export function targetOf(text: string): URL {
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `ws://${text}`;
  if (!URL.canParse(whole)) {
    // The user info may have a password.
    const shown = text.replace(/^([^/]*\/\/)?[^/]*@/, "$1…@").replace(/[?#].*/s, "?…");
    throw new UsageError(`Cannot connect: "${shown}" is not a URL`);
  }
  const url = new URL(whole);
  if (/^(?:wss?|https?):$/.test(url.protocol)) return url;
  throw new UsageError(`Cannot connect: "${url.protocol}" is neither ws: nor wss:`);
}

/** The options of `connect`, always over this package's own transport. */
export function connectOptions(given: Arguments): ConnectOptions {
  const tls: TlsOptions = {};
  const ca = given.text("ca");
  if (ca !== undefined) tls.ca = fileOf("ca", ca);
  if (given.has("insecure")) tls.rejectUnauthorized = false;
  const proxy = given.text("proxy");
  const origin = given.text("origin");
  return {
    transport: "net",
    headers: given.all("header").map(fieldOf),
    protocols: given.all("protocol"),
    compression: given.has("compression"),
    connectTimeout: given.seconds("connect-timeout", 30_000),
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
    ...(proxy === undefined ? {} : { proxy: proxyOf(proxy) }),
    ...(origin === undefined ? {} : { origin }),
  };
}

function proxyOf(text: string): string | null {
  if (text === "none") return null;
  if (text === "environment") return text;
  const isKnown = /^(?:https?|socks5h?):\/\//i.test(text) && URL.canParse(text);
  if (isKnown) return text;
  // A URL of a proxy may have a password.
  throw new UsageError(
    "Cannot use --proxy: it must be a URL of http:, https:, socks5: or socks5h:, or environment, or none",
  );
}

function fieldOf(text: string): [string, string] {
  const colon = text.indexOf(":");
  // The value may be a secret.
  if (colon < 1) throw new UsageError("Cannot use --header: it must be 'NAME: VALUE'");
  return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()];
}

/**
 * The text of a file.
 *
 * @param option The option, or what else names it.
 */
export function fileOf(option: string, path: string): string {
  try {
    return module("fs").readFileSync(path, "utf8");
  } catch (error) {
    const why = codeOf(error) || "it can't be read";
    throw new UsageError(`Cannot read ${named(option, path)}: ${why}`);
  }
}

function named(option: string, path: string): string {
  return `${option === "FILE" ? "FILE" : `the file of --${option}`}, "${path}"`;
}

/**
 * How to write a file at the end of a command: it is found out at its beginning whether that is possible.
 *
 * @param given The arguments.
 * @param option The option that names the file.
 * @returns `null` when the option wasn't given.
 */
export function writable(given: Arguments, option: string): ((text: string) => void) | null {
  const path = given.text(option);
  if (path === undefined) return null;
  const fs = module("fs");
  const tried = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      const why = codeOf(error) || "it can't be written";
      throw new UsageError(`Cannot write ${named(option, path)}: ${why}`);
    }
  };
  tried(() => fs.closeSync(fs.openSync(path, "a", 0o644)));
  return (text) => tried(() => fs.writeFileSync(path, text));
}
