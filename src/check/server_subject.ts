/** A server that is checked: each case opens connections to it. */

import { utf8 } from "./bytes.ts";
import {
  type Extension,
  fieldOf,
  hasToken,
  type Head,
  logHead,
  parseExtensions,
  parseHead,
  statusOf,
} from "./http.ts";
import { Fault, Silence } from "./fault.ts";
import { type Agreed, Peer } from "./peer.ts";
import type { Verdict } from "./report.ts";
import type { Compression, Subject } from "./subject.ts";
import { netModule, Wire } from "./wire.ts";

/** The key of each opening handshake, and its answer: the example of RFC 6455 §1.3. */
export const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
export const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** Where the server is. */
export interface Target {
  readonly url: URL;
  readonly timeout: number;
  /** The user's header fields, for each request. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The user's settings of `node:tls`. */
  readonly tls: object | undefined;
}

/** A request or an answer, field by field. */
export interface Parts {
  readonly line: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
}

/** Adds a finding. */
export type Note = (verdict: Verdict, text: string) => void;

/** One case's connections. */
export class ServerSubject implements Subject {
  readonly side = "server" as const;
  readonly transcript: string[] = [];
  readonly note: Note;
  readonly #target: Target;
  readonly #wires: Wire[] = [];

  constructor(target: Target, note: Note) {
    this.#target = target;
    this.note = note;
  }

  /** Ends all connections. */
  destroy(): void {
    for (const wire of this.#wires) wire.destroy();
  }

  /** A TCP connection. */
  connect(): Wire {
    const { url, tls, timeout } = this.#target;
    const isTls = url.protocol === "wss:";
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const port = Number(url.port || (isTls ? 443 : 80));
    const common = { host, port, allowHalfOpen: true };
    const socket = isTls
      ? netModule("tls").connect({
        ...common,
        ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
        ALPNProtocols: ["http/1.1"],
        ...tls,
      })
      : netModule("net").connect(common);
    const wire = new Wire(socket, timeout);
    this.#wires.push(wire);
    return wire;
  }

  /** The parts of a correct request. */
  request(): Parts {
    const { url, headers } = this.#target;
    return {
      line: `GET ${url.pathname}${url.search} HTTP/1.1`,
      fields: [
        ["Host", url.host],
        ["Upgrade", "websocket"],
        ["Connection", "Upgrade"],
        ["Sec-WebSocket-Key", KEY],
        ["Sec-WebSocket-Version", "13"],
        ...headers,
      ],
    };
  }

  /** Sends a request. */
  sendRequest(wire: Wire, request: Parts): void {
    this.log(request);
    wire.send(utf8(partsText(request)));
  }

  /** Notes a request that is sent, without the values of the user's own fields: they may be secrets. */
  log(request: Parts): void {
    const own = new Set(this.#target.headers.map(([name]) => name.toLowerCase()));
    logHead(this.transcript, ">", partsText(request), own);
  }

  /** Reads the head of the answer; `null`: the server has ended TCP instead. @throws {Fault} */
  async answer(wire: Wire): Promise<Head | null> {
    try {
      const text = await wire.takeHead();
      logHead(this.transcript, "<", text ?? "end of TCP");
      return text === null ? null : parseHead(text);
    } catch (error) {
      if (error instanceof Silence) throw new Fault("it doesn't answer the request");
      throw error;
    }
  }

  /** Opens a connection, with what is offered of permessage-deflate. @throws {Fault} */
  async open(compression?: Compression): Promise<Peer> {
    const wire = this.connect();
    const { line, fields } = this.request();
    const offer = compression && offerOf(compression);
    const extra = offer === undefined ? [] : [["Sec-WebSocket-Extensions", offer] as const];
    this.sendRequest(wire, { line, fields: [...fields, ...extra] });
    const head = await this.answer(wire);
    if (head === null) throw new Fault("it ends TCP in place of an answer");
    checkAcceptance(head);
    const extensions = parseExtensions(fieldOf(head, "sec-websocket-extensions"));
    const agreed = compression === undefined ? null : agreement(compression, extensions);
    if (compression === undefined && extensions.length > 0) {
      throw new Fault("it agrees to an extension that wasn't offered (RFC 6455 §4.2.2)");
    }
    return new Peer("server", wire, this.transcript, agreed);
  }
}

/** The text of a request or an answer. */
export function partsText({ line, fields }: Parts): string {
  return [line, ...fields.map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n");
}

/** RFC 6455 §4.2.2: an answer that opens the connection. @throws {Fault} */
export function checkAcceptance(head: Head): void {
  const status = statusOf(head);
  if (status !== 101) throw new Fault(`it refuses the upgrade: ${head.line || "no status line"}`);
  if (!hasToken(head, "upgrade", "websocket")) {
    throw new Fault("its 101 has no Upgrade: websocket (RFC 6455 §4.2.2)");
  }
  if (!hasToken(head, "connection", "upgrade")) {
    throw new Fault("its 101 has no Connection: Upgrade (RFC 6455 §4.2.2)");
  }
  const accept = fieldOf(head, "sec-websocket-accept");
  if (accept !== ACCEPT) {
    throw new Fault(
      `its Sec-WebSocket-Accept is ${accept ?? "missing"}, not ${ACCEPT} (RFC 6455 §4.2.2)`,
    );
  }
}

/** RFC 7692 §7.1: the offer for a case. */
export function offerOf(
  { peerBits, peerForgets, ownBits, ownForgets }: Compression,
): string {
  return [
    "permessage-deflate",
    ...peerBits === undefined ? [] : [`server_max_window_bits=${peerBits}`],
    ...peerForgets ? ["server_no_context_takeover"] : [],
    ...ownBits === undefined ? [] : [`client_max_window_bits=${ownBits}`],
    ...ownForgets ? ["client_no_context_takeover"] : [],
  ].join("; ");
}

/** What the server has agreed to. @throws {Fault} When it has broken a rule, or hasn't agreed to what the case needs. */
function agreement(
  { peerBits, peerForgets, ownBits, refersBack }: Compression,
  extensions: readonly Extension[],
): Agreed {
  const [first, ...rest] = extensions;
  if (first === undefined) {
    throw new Fault("it doesn't agree to this offer of permessage-deflate", "unimplemented");
  }
  if (rest.length > 0 || first.name !== "permessage-deflate") {
    throw new Fault("it agrees to an extension that wasn't offered (RFC 6455 §4.2.2)");
  }
  const { parameters } = first;
  for (const [name, value] of parameters) checkParameter(name, value);
  const bits = Number(parameters.get("server_max_window_bits") ?? 15);
  if (peerBits !== undefined && (bits > peerBits || !parameters.has("server_max_window_bits"))) {
    throw new Fault(
      `it accepts server_max_window_bits=${peerBits} without saying so (RFC 7692 §7.1.2.1)`,
    );
  }
  const forgets = parameters.has("server_no_context_takeover");
  if (peerForgets && !forgets) {
    throw new Fault("it accepts server_no_context_takeover without saying so (RFC 7692 §7.1.1.1)");
  }
  const own = parameters.get("client_max_window_bits");
  if (own !== undefined) {
    if (ownBits === undefined) {
      throw new Fault("it sets client_max_window_bits, which wasn't offered (RFC 7692 §7.1.2.2)");
    }
    if (Number(own) > ownBits) {
      throw new Fault("its client_max_window_bits is above the offer (RFC 7692 §7.1.2.2)");
    }
    if (Number(own) < ownBits) {
      throw new Fault(`it agrees to a client's window of ${own} bits only`, "unimplemented");
    }
  }
  if (refersBack && parameters.has("client_no_context_takeover")) {
    throw new Fault(
      "it wants client_no_context_takeover, so that no message may refer to an earlier one",
      "unimplemented",
    );
  }
  return { bits, keepsContext: !forgets };
}

const BITS = /^(8|9|1[0-5])$/;

function checkParameter(name: string, value: string | null): void {
  if (/^(client|server)_no_context_takeover$/.test(name) && value === null) return;
  if (/^(client|server)_max_window_bits$/.test(name) && BITS.test(value ?? "")) return;
  throw new Fault(
    `its answer has a malformed parameter: ${name}${
      value === null ? "" : `=${value}`
    } (RFC 7692 §7.1)`,
  );
}

/** What an answer to several offers means. @throws {Fault} When it fits none of them. */
export function agreedOn(answer: readonly Extension[], offers: readonly string[]): Agreed {
  const faults: Fault[] = [];
  for (const [offer] of offers.map(parseExtensions)) {
    try {
      return agreement(wishOf(offer?.parameters ?? new Map()), answer);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      // A smaller window than the offer's is right here.
      if (error.verdict === "unimplemented") return { bits: 15, keepsContext: true };
      faults.push(error);
    }
  }
  throw faults[0] ?? new Fault("it agrees to an extension that wasn't offered (RFC 6455 §4.2.2)");
}

function wishOf(parameters: ReadonlyMap<string, string | null>): Compression {
  const peer = parameters.get("server_max_window_bits");
  const own = parameters.get("client_max_window_bits");
  return {
    ...peer === undefined ? {} : { peerBits: Number(peer) },
    ...own === undefined ? {} : { ownBits: Number(own ?? 15) },
    peerForgets: parameters.has("server_no_context_takeover"),
  };
}
