/** A server and a client with one fault: the opening handshakes around `broken_endpoint.ts`. */

import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import { connect, createServer, type Socket } from "node:net";
import { closeServer, listen } from "../support/loopback.ts";
import { type Deflate, Endpoint } from "./broken_endpoint.ts";

const accept = (key: string): string =>
  createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");

/** A parsed head. Names are in lower case, unless the fault is case-sensitive names. */
function parse(text: string, fault: string): { line: string; fields: [string, string][] } {
  const [line = "", ...lines] = text.split("\r\n");
  const fields = lines.filter((it) => it !== "").map((it): [string, string] => {
    const at = it.indexOf(":");
    const name = at < 0 ? "" : it.slice(0, at).trim();
    return [fault === "names-case" ? name : name.toLowerCase(), it.slice(at + 1).trim()];
  });
  return { line, fields };
}

type Fields = readonly (readonly [string, string])[];

function all(fields: Fields, name: string, fault: string): string[] {
  const wanted = fault === "names-case"
    ? name.replace(/(^|-)[a-z]/g, (it) => it.toUpperCase()).replace("Websocket", "WebSocket")
    : name;
  return fields.filter(([it]) => it === wanted).map(([, value]) => value);
}

/** Whether a parameter of permessage-deflate is malformed. */
function isBad(name: string, value: string | undefined, fault: string): boolean {
  if (/^(server|client)_no_context_takeover$/.test(name)) {
    return value !== undefined && fault !== "any-parameter";
  }
  if (/^(server|client)_max_window_bits$/.test(name)) {
    if (value === undefined) return name === "server_max_window_bits";
    return !/^(8|9|1[0-5])$/.test(value) && fault !== "any-window";
  }
  return fault !== "any-parameter";
}

type Offer = Map<string, string | undefined>;

/** The correct offers of permessage-deflate; `null` if the field is malformed. */
function offersOf(value: string, fault: string): Offer[] | null {
  const offers: Offer[] = [];
  if ((value.match(/"/g) ?? []).length % 2 === 1) return null;
  for (const element of value.split(",")) {
    const [name = "", ...parts] = element.split(";").map((it) => it.trim());
    if (name === "" || parts.includes("")) return null;
    if (name !== "permessage-deflate") continue;
    const offer: Offer = new Map();
    let isGood = true;
    for (const part of parts) {
      const [key = "", quoted] = part.split("=").map((it) => it.trim());
      if (quoted === "") return null;
      const value = quoted?.replace(/^"(.*)"$/, "$1");
      if (isBad(key, value, fault) || offer.has(key) && fault !== "parameter-twice") isGood = false;
      offer.set(key, value);
    }
    if (isGood) offers.push(offer);
  }
  return offers;
}

/** A running server. */
export interface BrokenServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts a server with a fault; an empty name means no fault. */
export async function brokenServer(fault: string): Promise<BrokenServer> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    let text = "";
    let endpoint: Endpoint | null = null;
    let isRefused = false;
    socket.on("error", () => {
      if (fault !== (endpoint === null ? "reset-kills-early" : "reset-kills")) return;
      for (const it of sockets) it.destroy();
      server.close();
    });
    socket.on("end", () => fault === "end-kept" || socket.end());
    socket.on("data", (chunk: Buffer) => {
      if (endpoint !== null) return endpoint.push(chunk);
      if (isRefused && fault !== "goes-on-after-refusal") return;
      text += chunk.toString("latin1");
      for (
        let end = headEnd(text, fault);
        end >= 0 && endpoint === null;
        end = headEnd(text, fault)
      ) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        const answer = answerTo(head, fault);
        socket.write(answer.text, "latin1");
        if (answer.isOpen) {
          endpoint = new Endpoint(socket, true, fault, answer.deflate);
          if (fault !== "loses-early") endpoint.push(Buffer.from(text, "latin1"));
        } else {
          isRefused = true;
          if (fault !== "goes-on-after-refusal") return void socket.end();
        }
      }
      if (fault === "head-in-one-piece" && endpoint === null && !isRefused) {
        socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
      }
      if (text.length > 65_536 && endpoint === null) socket.end("HTTP/1.1 431 Too Large\r\n\r\n");
    });
  });
  const port = await listen(server);
  return {
    url: `ws://127.0.0.1:${port}`,
    async close() {
      for (const socket of sockets) socket.destroy();
      await closeServer(server);
    },
  };
}

const headEnd = (text: string, fault: string): number =>
  text.indexOf("\r\n\r\n") < 0 || (fault === "head-in-one-piece" && !text.startsWith("GET /"))
    ? -1
    : text.indexOf("\r\n\r\n");

interface Answer {
  text: string;
  isOpen: boolean;
  deflate: Deflate | null;
}

function refusal(status: string, fields = ""): Answer {
  return {
    text: `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n${fields}\r\n`,
    isOpen: false,
    deflate: null,
  };
}

/** Whether the first line belongs to a correct handshake. */
function isGet(line: string, fault: string): boolean {
  const [method = "", target = "", version = ""] = line.split(" ");
  if (method !== "GET" && fault !== "any-method") return false;
  if (version !== "HTTP/1.1" && fault !== "any-version-of-http") return false;
  return target.startsWith("/") || target.startsWith("http://") && fault !== "origin-form-only" ||
    fault === "any-target";
}

function malformed(head: string, fault: string): boolean {
  if (
    /^[^:\r\n]*[ \t]:/m.test(head.slice(head.indexOf("\r\n"))) && fault !== "blank-before-colon"
  ) {
    return true;
  }
  const lines = head.split("\r\n").slice(1);
  return lines.some((it) =>
    !/^[!#$%&'*+.^_`|~\w-]+:/.test(it) && fault !== "any-field-name" &&
    fault !== "blank-before-colon"
  );
}

function answerTo(head: string, fault: string): Answer {
  const { line, fields } = parse(head, fault);
  const get = (name: string): string[] => all(fields, name, fault);
  const upgrade = get("upgrade").join(",");
  const tokens = get("connection").join(",").split(",").map((it) => it.trim().toLowerCase());
  const keys = get("sec-websocket-key");
  const [key = ""] = keys;
  if (malformed(head, fault)) return refusal("400 Bad Request");
  if (!isGet(line, fault)) return refusal("400 Bad Request");
  const isUpgrade = fault === "upgrade-case"
    ? upgrade === "websocket"
    : /^websocket$/i.test(upgrade);
  if (!isUpgrade && fault !== "no-upgrade-needed") return refusal("426 Upgrade Required");
  const isExact = fault === "connection-exact";
  const hasToken = isExact ? get("connection").join() === "Upgrade" : tokens.includes("upgrade");
  if (!hasToken && fault !== "no-connection-needed") return refusal("400 Bad Request");
  const hosts = get("host");
  if (hosts.length !== 1 && fault !== "no-host-needed") return refusal("400 Bad Request");
  if (!/^[\w.-]+(:\d+)?$/.test(hosts[0] ?? "x")) return refusal("400 Bad Request");
  const lengths = get("content-length");
  if (new Set(lengths).size > 1 && fault !== "two-lengths") return refusal("400 Bad Request");
  if (
    get("transfer-encoding").length + lengths.filter((it) => it !== "0").length > 0 &&
    fault !== "two-lengths"
  ) {
    return refusal("400 Bad Request");
  }
  const versions = get("sec-websocket-version");
  if (versions.join() !== "13" && fault !== "any-version") {
    return refusal(
      "426 Upgrade Required",
      fault === "no-version-told" ? "" : "Sec-WebSocket-Version: 13\r\n",
    );
  }
  const isKey = /^[A-Za-z0-9+/]{22}==$/.test(key) && keys.length === 1;
  if (
    !isKey && !(fault === "any-key" && key !== "") && fault !== "no-key-needed" &&
    !(fault === "two-keys" && keys.length > 1)
  ) return refusal("400 Bad Request");
  return accepted(fields, key, fault);
}

function accepted(fields: Fields, key: string, fault: string): Answer {
  const offers = offersOf(all(fields, "sec-websocket-extensions", fault).join(", ") || "x", fault);
  if (offers === null) return refusal("400 Bad Request");
  const [offer] = offers;
  const lines = [
    fault === "status-200" ? "HTTP/1.1 200 OK" : "HTTP/1.1 101 Switching Protocols",
    ...fault === "no-upgrade-sent" ? [] : ["Upgrade: websocket"],
    ...fault === "no-connection-sent" ? [] : ["Connection: Upgrade"],
    ...fault === "no-accept-sent"
      ? []
      : [`Sec-WebSocket-Accept: ${accept(fault === "wrong-accept" ? "" : key)}`],
  ];
  const offered = all(fields, "sec-websocket-protocol", fault).join(", ");
  if (fault === "any-protocol") lines.push("Sec-WebSocket-Protocol: chat");
  if (fault === "all-protocols" && offered !== "") lines.push(`Sec-WebSocket-Protocol: ${offered}`);
  if (fault === "any-extension") lines.push("Sec-WebSocket-Extensions: x-other");
  if (fault === "deflate-unasked") lines.push("Sec-WebSocket-Extensions: permessage-deflate");
  let deflate: Deflate | null = null;
  if (offer !== undefined) {
    const bits = offer.get("server_max_window_bits");
    const ownForgets = offer.has("server_no_context_takeover");
    const answer = [
      "permessage-deflate",
      ...bits === undefined || fault === "window-not-told"
        ? []
        : [`server_max_window_bits=${bits}`],
      ...ownForgets && fault !== "takeover-not-told" ? ["server_no_context_takeover"] : [],
      ...fault === "client-window-unasked" ? ["client_max_window_bits=10"] : [],
    ];
    lines.push(`Sec-WebSocket-Extensions: ${answer.join("; ")}`);
    const peerForgets = offer.has("client_no_context_takeover");
    deflate = { ownBits: Number(bits ?? 15), ownForgets, peerForgets };
  }
  return { text: `${lines.join("\r\n")}\r\n\r\n`, isOpen: true, deflate };
}

/** The point at which a client with a reset fault stops connecting. */
const DEAD = new Set<string>();

/** Connects a client with a fault. The promise fulfils when the connection has ended. */
export async function brokenClient(
  url: string,
  fault: string,
  protocols: readonly string[],
): Promise<void> {
  const { hostname, port, pathname } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.on("error", () => {
    if (fault === (endpoint === null ? "reset-kills-early" : "reset-kills")) DEAD.add(url);
  });
  socket.on("end", () => fault === "end-kept" || socket.end());
  const ended = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  let endpoint: Endpoint | null = null;
  const key = fault === "same-key"
    ? "dGhlIHNhbXBsZSBub25jZQ=="
    : randomBytes(fault === "short-key" ? 15 : 16).toString("base64");
  const lines = [
    `${fault === "post" ? "POST" : "GET"} ${fault === "no-path" ? "/case" : pathname} HTTP/1.1`,
    ...fault === "no-host" ? [] : [`Host: ${hostname}${fault === "no-port" ? "" : `:${port}`}`],
    ...fault === "no-upgrade" ? [] : ["Upgrade: websocket"],
    ...fault === "no-connection" ? [] : ["Connection: Upgrade"],
    `Sec-WebSocket-Key: ${key}`,
    `Sec-WebSocket-Version: ${fault === "version-8" ? 8 : 13}`,
    ...fault === "key-twice" ? [`Sec-WebSocket-Key: ${key}`] : [],
    ...fault === "sends-accept" ? ["Sec-WebSocket-Accept: x"] : [],
    ...fault === "has-body" ? ["Content-Length: 5"] : [],
    ...protocols.length === 0 ? [] : [`Sec-WebSocket-Protocol: ${protocols.join(", ")}`],
    ...fault === "bad-protocol" ? ["Sec-WebSocket-Protocol: a b"] : [],
    `Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits${
      fault === "bad-offer" ? "=16" : ""
    }`,
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  if (fault === "talks-early") socket.write(Buffer.from([0x89, 0x80, 0, 0, 0, 0]));
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    if (DEAD.has(url)) return void socket.destroy();
    if (endpoint !== null) return endpoint.push(chunk);
    text += chunk.toString("latin1");
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) {
      const isBad = !"HTTP/1.1 1".startsWith(text.slice(0, 10)) && fault !== "any-status";
      if (isBad || text.length > 65_536 || fault === "head-in-one-piece") socket.destroy();
      return;
    }
    const head = text.slice(0, end);
    if (/^HTTP\/1\.1 1(?!01)\d\d /.test(head)) {
      text = text.slice(end + 4);
      if (text !== "") socket.emit("data", none);
      return;
    }
    const deflate = agreed(head, key, fault, protocols);
    if (deflate === undefined) return void socket.destroy();
    endpoint = new Endpoint(socket, false, fault, deflate);
    if (fault !== "loses-early") endpoint.push(Buffer.from(text.slice(end + 4), "latin1"));
  });
  await ended;
}

const none = Buffer.alloc(0);

/** The agreed parameters; `undefined` if the answer is wrong. */
function agreed(
  head: string,
  key: string,
  fault: string,
  protocols: readonly string[],
): Deflate | null | undefined {
  const { line, fields } = parse(head, fault);
  const get = (name: string): string[] => all(fields, name, fault);
  const phrase = fault === "phrase-exact"
    ? /^HTTP\/1\.1 101 Switching Protocols$/
    : /^HTTP\/1\.1 101( |$)/;
  if (!phrase.test(line) && fault !== "any-status") return undefined;
  const upgrade = get("upgrade").join();
  const isUpgrade = fault === "upgrade-case"
    ? upgrade === "websocket"
    : /^websocket$/i.test(upgrade);
  if (!isUpgrade && fault !== "no-upgrade-needed") return undefined;
  const tokens = get("connection").join().split(",").map((it) => it.trim().toLowerCase());
  const hasToken = fault === "connection-exact"
    ? get("connection").join() === "Upgrade"
    : tokens.includes("upgrade");
  if (!hasToken && fault !== "no-connection-needed") return undefined;
  const accepts = get("sec-websocket-accept");
  const right = accept(key);
  const isRight = fault === "accept-any-case"
    ? accepts.join().toLowerCase() === right.toLowerCase()
    : fault === "accept-first"
    ? accepts[0] === right
    : accepts.join() === right;
  if (
    !isRight && fault !== "any-accept" && !(fault === "no-accept-needed" && accepts.length === 0)
  ) {
    return undefined;
  }
  if (head.split("\r\n").slice(1).some((it) => !/^[!#$%&'*+.^_`|~\w-]+:[^\0\r]*$/.test(it))) {
    return undefined;
  }
  const chosen = get("sec-websocket-protocol");
  const isChosen = chosen.length === 0 ||
    chosen.length === 1 && protocols.includes(chosen[0] ?? "");
  if (!isChosen && fault !== "any-protocol") return undefined;
  const extensions = get("sec-websocket-extensions").join(", ");
  if (extensions === "" || fault === "any-extension") return null;
  if (extensions.includes(",") || !extensions.startsWith("permessage-deflate")) return undefined;
  const [answer] = offersOf(extensions, fault) ?? [];
  if (answer === undefined) return undefined;
  const bits = answer.get("client_max_window_bits");
  if (answer.has("client_max_window_bits") && bits === undefined && fault !== "any-window") {
    return undefined;
  }
  return {
    ownBits: Number(bits ?? 15),
    ownForgets: answer.has("client_no_context_takeover"),
    peerForgets: answer.has("server_no_context_takeover"),
  };
}
