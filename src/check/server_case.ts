/** Cases of opening handshakes, for servers. */

import { concat, utf8 } from "./bytes.ts";
import { type Case, type CaseOptions, converse, newCase } from "./case.ts";
import type { Edit } from "./edits.ts";
import { text } from "./frames.ts";
import { fieldOf, type Head, statusOf } from "./http.ts";
import { Fault, Silence } from "./fault.ts";
import { Peer } from "./peer.ts";
import type { Verdict } from "./report.ts";
import { checkAcceptance, partsText, type ServerSubject } from "./server_subject.ts";
import { echo } from "./steps.ts";
import type { Wire } from "./wire.ts";

/** What the server answers. */
export interface Answer {
  readonly subject: ServerSubject;
  readonly wire: Wire;
  /** `null`: it has ended TCP instead. */
  readonly head: Head | null;
}

/** What the server may answer. */
export interface Expectation {
  readonly allows: readonly string[];
  /** @throws {Fault} */
  check(answer: Answer): Promise<void>;
}

/** The handshake must succeed, and the connection work. */
export function accepts(check: (head: Head) => void = () => {}): Expectation {
  return {
    allows: ['101 with the right Sec-WebSocket-Accept; then Text: "Hello" comes back'],
    async check({ subject, wire, head }) {
      if (head === null) throw new Fault("it ends TCP in place of an answer");
      checkAcceptance(head);
      check(head);
      if (fieldOf(head, "sec-websocket-extensions") !== null) {
        throw new Fault("it agrees to an extension that wasn't offered (RFC 6455 §4.2.2)");
      }
      const peer = new Peer("server", wire, subject.transcript, null);
      await converse(subject, peer, echo(text("Hello")));
    },
  };
}

/** What else a refusal should have. */
export interface Refusal {
  /** The statuses that fit best; others are non-strict. Left out: any of 400–599. */
  readonly statuses?: readonly number[];
  /** A field that the answer must have. */
  readonly has?: string;
  /** What a success is. Default "failed". */
  readonly accepted?: Verdict;
  /** What it means when it is accepted. */
  readonly why?: string;
}

/** The server must not upgrade. */
export function refuses(refusal: Refusal = {}): Expectation {
  const { statuses, has, accepted = "failed" } = refusal;
  const best = statuses === undefined ? "an error's status" : statuses.join(" or ");
  const also = has === undefined ? "" : ` with ${has}`;
  return {
    allows: [
      `${best}${also}, then the end of TCP or another request; the end of TCP alone (non-strict)` +
      (accepted === "failed" ? "" : `; 101 (${accepted})`),
    ],
    check: ({ subject, head }) => Promise.resolve(checkRefusal(subject, head, refusal)),
  };
}

function checkRefusal(subject: ServerSubject, head: Head | null, refusal: Refusal): void {
  const { statuses, has, accepted = "failed", why = "it accepts the request" } = refusal;
  if (head === null) return subject.note("non-strict", "it ends TCP without an answer");
  const status = statusOf(head);
  if (status === 101) return subject.note(accepted, why);
  if (status === 0) throw new Fault(`its answer isn't HTTP: ${head.line}`);
  if (has !== undefined && fieldOf(head, has) === null) {
    subject.note("non-strict", `its answer of ${status} has no ${has}`);
  }
  if (statuses !== undefined && !statuses.includes(status)) {
    subject.note("non-strict", `it answers ${status}, where ${statuses.join(" or ")} is meant`);
  }
}

/** What a case of a handshake may set. */
export interface HandshakeOptions extends CaseOptions {
  /** What is sent right behind the request, in the same piece. */
  readonly behind?: (peer: Peer) => Uint8Array;
  /** The size of the pieces that the request comes in. */
  readonly pieces?: number;
}

/** A case whose request differs from a correct one. */
export function handshakeCase(
  id: string,
  title: string,
  section: string,
  why: string,
  edit: Edit,
  expected: Expectation,
  options: HandshakeOptions = {},
): Case<ServerSubject> {
  const { pieces, behind } = options;
  const about = { id: `handshake/${id}`, title, section, why, sends: [`a request: ${title}`] };
  return newCase({ ...about, allows: expected.allows }, options, async (subject) => {
    const wire = subject.connect();
    const request = edit(subject.request());
    if (pieces !== undefined) {
      subject.log(request);
      subject.transcript.push(`> (in pieces of ${pieces})`);
      await wire.sendInPieces(utf8(partsText(request)), pieces);
    } else if (behind !== undefined) {
      const peer = new Peer("server", wire, subject.transcript, null);
      subject.log(request);
      subject.transcript.push("> (and more in the same piece)");
      wire.send(concat([utf8(partsText(request)), behind(peer)]));
    } else subject.sendRequest(wire, request);
    await expected.check({ subject, wire, head: await subject.answer(wire) });
  });
}

/** A case that sends bytes that are no correct request at all. */
export function bytesCase(
  id: string,
  title: string,
  section: string,
  why: string,
  bytes: (subject: ServerSubject) => Uint8Array,
  expected: Expectation,
): Case<ServerSubject> {
  const about = { id: `handshake/${id}`, title, section, why, sends: [title] };
  return newCase({ ...about, allows: expected.allows }, {}, async (subject) => {
    const wire = subject.connect();
    subject.transcript.push(`> ${title}`);
    wire.send(bytes(subject));
    await expected.check({ subject, wire, head: await subject.answer(wire) });
  });
}

/** How much is read behind a refusal. */
const MAX_REST = 65_536;

/** The server refuses, and doesn't take what came behind the request for another one, or for frames. */
export const refusesAll: Expectation = {
  allows: ["an error's status, then the end of TCP; no 101 and no frame"],
  async check({ subject, wire, head }) {
    checkRefusal(subject, head, {});
    if (head === null || statusOf(head) === 101) return;
    wire.patience = 1000;
    let rest = "";
    try {
      for (
        let byte = await wire.take(1);
        byte !== null && rest.length < MAX_REST;
        byte = await wire.take(1)
      ) {
        rest += String.fromCharCode(byte[0] ?? 0);
      }
    } catch (error) {
      if (!(error instanceof Silence)) throw error;
      subject.note("non-strict", "it keeps TCP open behind a refusal with more bytes");
    }
    if (/HTTP\/1\.1 101/.test(rest)) {
      throw new Fault("it upgrades for a request behind the one that it has refused");
    }
  },
};
