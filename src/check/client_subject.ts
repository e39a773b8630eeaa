/** A client that is checked: each case answers one or more of its connections. */

import { builtinModule } from "../realm/builtin_module.ts";
import { utf8 } from "./bytes.ts";
import { type Extension, fieldOf, type Head, logHead, parseExtensions, parseHead } from "./http.ts";
import { Fault, Silence } from "./fault.ts";
import { type Agreed, Peer } from "./peer.ts";
import type { Note, Parts } from "./server_subject.ts";
import { partsText } from "./server_subject.ts";
import type { Compression, Subject } from "./subject.ts";
import type { Wire } from "./wire.ts";

/** A connection of the client's, whose request has been read. */
export interface Arrival {
  readonly wire: Wire;
  readonly head: Head;
}

/** Where the connections of a case come from. */
export interface Arrivals {
  /** The next connection for the case. @throws {Silence} */
  next(): Promise<Arrival>;
  /** The keys of all requests of the run so far. */
  readonly keys: readonly string[];
  /** The server's URL for this case. */
  readonly url: string;
}

interface Crypto {
  createHash(name: string): { update(text: string): { digest(format: "base64"): string } };
}

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** RFC 6455 §4.2.2: what answers a key. */
export function acceptOf(key: string, guid: string = GUID): string {
  const crypto = builtinModule<Crypto>("crypto");
  return crypto?.createHash("sha1").update(key + guid).digest("base64") ?? "";
}

/** One case's connections. */
export class ClientSubject implements Subject {
  readonly side = "client" as const;
  readonly transcript: string[] = [];
  readonly note: Note;
  readonly arrivals: Arrivals;
  readonly #wires: Wire[] = [];
  readonly #onDestroy: () => void;

  constructor(arrivals: Arrivals, note: Note, onDestroy: () => void) {
    this.arrivals = arrivals;
    this.note = note;
    this.#onDestroy = onDestroy;
  }

  /** Ends all connections. */
  destroy(): void {
    for (const wire of this.#wires) wire.destroy();
    this.#onDestroy();
  }

  /** The client's next connection. @throws {Fault} */
  async accept(): Promise<Arrival> {
    try {
      const arrival = await this.arrivals.next();
      this.#wires.push(arrival.wire);
      logHead(this.transcript, "<", partsText(arrival.head));
      return arrival;
    } catch (error) {
      if (error instanceof Silence) throw new Fault("it doesn't connect");
      throw error;
    }
  }

  /** The parts of a correct answer. */
  answerTo(head: Head): Parts {
    const key = fieldOf(head, "sec-websocket-key") ?? "";
    return {
      line: "HTTP/1.1 101 Switching Protocols",
      fields: [
        ["Upgrade", "websocket"],
        ["Connection", "Upgrade"],
        ["Sec-WebSocket-Accept", acceptOf(key)],
      ],
    };
  }

  /** Notes an answer that is sent. */
  log(parts: Parts): void {
    logHead(this.transcript, ">", partsText(parts));
  }

  /** The peer of a connection that is open now. */
  peer(wire: Wire, agreed: Agreed | null = null): Peer {
    return new Peer("client", wire, this.transcript, agreed);
  }

  /** Opens the client's connection, and agrees on permessage-deflate. @throws {Fault} */
  async open(compression?: Compression): Promise<Peer> {
    const { wire, head } = await this.accept();
    const offers = parseExtensions(fieldOf(head, "sec-websocket-extensions"));
    const agreed = compression === undefined ? null : agreement(compression, offers);
    const answer = this.answerTo(head);
    const extra = agreed === null ? [] : [["Sec-WebSocket-Extensions", agreed.answer] as const];
    const whole = { ...answer, fields: [...answer.fields, ...extra] };
    this.log(whole);
    wire.send(utf8(partsText(whole)));
    return this.peer(wire, agreed);
  }
}

/** RFC 7692 §7.1: what to agree to for a case. @throws {Fault} When the client's offer doesn't allow it. */
function agreement(
  { peerBits, peerForgets, ownBits, ownForgets, refersBack }: Compression,
  offers: readonly Extension[],
): Agreed & { readonly answer: string } {
  const offer = offers.find(({ name }) => name === "permessage-deflate")?.parameters;
  if (offer === undefined) throw new Fault("it doesn't offer permessage-deflate", "unimplemented");
  const offered = Number(offer.get("client_max_window_bits") ?? 15);
  if (peerBits !== undefined && (!offer.has("client_max_window_bits") || offered < peerBits)) {
    throw new Fault(`it offers no client_max_window_bits of ${peerBits}`, "unimplemented");
  }
  const wanted = offer.get("server_max_window_bits");
  if (Number(wanted ?? 15) < (ownBits ?? 15)) {
    throw new Fault(`it wants server_max_window_bits=${wanted}`, "unimplemented");
  }
  const forgets = ownForgets || offer.has("server_no_context_takeover");
  if (refersBack && forgets) {
    throw new Fault("it wants server_no_context_takeover", "unimplemented");
  }
  const answer = [
    "permessage-deflate",
    ...peerBits === undefined ? [] : [`client_max_window_bits=${peerBits}`],
    ...peerForgets ? ["client_no_context_takeover"] : [],
    ...ownBits === undefined ? [] : [`server_max_window_bits=${ownBits}`],
    ...forgets ? ["server_no_context_takeover"] : [],
  ].join("; ");
  return { bits: peerBits ?? 15, keepsContext: !peerForgets, answer };
}

/** Reads the request of a connection. @throws {Silence} */
export async function readRequest(wire: Wire): Promise<Head | null> {
  const text = await wire.takeHead();
  return text === null ? null : parseHead(text);
}
