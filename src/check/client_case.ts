/** Cases of opening handshakes, for clients. */

import { concat, utf8 } from "./bytes.ts";
import { type Case, type CaseOptions, converse, newCase } from "./case.ts";
import type { Arrival, ClientSubject } from "./client_subject.ts";
import type { Edit } from "./edits.ts";
import { text } from "./frames.ts";
import { fieldOf, type Head } from "./http.ts";
import { Fault } from "./fault.ts";
import { type Peer, shownEvent } from "./peer.ts";
import type { CaseInfo, Verdict } from "./report.ts";
import { type Parts, partsText } from "./server_subject.ts";
import { echo, type Step } from "./steps.ts";

/** What the client may make of an answer. */
export interface Reaction {
  readonly allows: readonly string[];
  /** Whether the server ends TCP behind its answer. */
  readonly endsTcp?: boolean;
  /** @throws {Fault} */
  check(subject: ClientSubject, peer: Peer): Promise<void>;
}

/** The connection must be open, and work. */
export function opens(
  steps: readonly Step[] = echo(text("Hello")),
): Reaction {
  return {
    allows: ["an open connection", ...steps.flatMap((it) => it.allows)],
    check: (subject, peer) => converse(subject, peer, steps),
  };
}

/** What else may happen in place of a failure. */
export interface FailureOptions {
  /** What it is when the client opens the connection. Default "failed". */
  readonly accepted?: Verdict;
  /** What it means when it is accepted. */
  readonly why?: string;
  /** Whether the server ends TCP: a client may keep a connection of HTTP. */
  readonly endsTcp?: boolean;
}

/** The client must fail the connection: it ends TCP, and no frame is taken or sent. */
export function failsOpening(
  { accepted = "failed", why = "it opens the connection all the same", endsTcp = false }:
    FailureOptions = {},
): Reaction {
  return {
    endsTcp,
    allows: [
      `the end of TCP, without an answer to the text${
        accepted === "failed" ? "" : `; an answer (${accepted})`
      }`,
    ],
    async check(subject, peer) {
      peer.send([text("Hello")]);
      if (endsTcp) peer.wire.end();
      const event = await peer.next();
      if (event.kind === "end") return;
      if (event.kind === "message") return subject.note(accepted, why);
      if (event.kind === "close") {
        return subject.note(
          "non-strict",
          "it sends a Close, although the connection was never open",
        );
      }
      throw new Fault(`it doesn't fail the connection; it did: ${shownEvent(event)}`);
    },
  };
}

/** Either is right; what it does is a note. */
export function may(opened: string, failed: string, verdict: Verdict = "ok"): Reaction {
  return {
    allows: [`an open connection; or the end of TCP${verdict === "ok" ? "" : ` (${verdict})`}`],
    async check(subject, peer) {
      peer.send([text("Hello")]);
      const event = await peer.next();
      if (event.kind === "message") subject.note("ok", opened);
      else if (event.kind === "end") subject.note(verdict, failed);
      else {throw new Fault(
          `it neither opens nor fails the connection; it did: ${shownEvent(event)}`,
        );}
    },
  };
}

/** What a case of an answer may set. */
export interface AnswerOptions extends CaseOptions {
  /** The size of the pieces that the answer comes in. */
  readonly pieces?: number;
  /** What is sent before the answer, in the same piece. */
  readonly before?: string;
  /** What is sent right behind the answer, in the same piece. */
  readonly behind?: (peer: Peer) => Uint8Array;
}

/** A change that may depend on the request. */
export type EditFor = (head: Head) => Edit;

/** A case whose answer differs from a correct one. */
export function answerCase(
  id: string,
  title: string,
  section: string,
  why: string,
  edit: Edit | { readonly for: EditFor },
  reaction: Reaction,
  options: AnswerOptions = {},
): Case<ClientSubject> {
  const [wanted] = options.protocols ?? [];
  const about = aboutAnswer(id, title, section, why, reaction);
  return newCase(about, options, async (subject) => {
    const arrival = await subject.accept();
    if (wanted !== undefined && fieldOf(arrival.head, "sec-websocket-protocol") === null) {
      throw new Fault(`it offers no subprotocol, such as ${wanted}`, "unimplemented");
    }
    const change = typeof edit === "function" ? edit : edit.for(arrival.head);
    await answer(subject, arrival, change(subject.answerTo(arrival.head)), options);
    await reaction.check(subject, subject.peer(arrival.wire));
  });
}

function aboutAnswer(
  id: string,
  title: string,
  section: string,
  why: string,
  { allows }: Reaction,
): Omit<CaseInfo, "isVariant"> {
  return { id: `answer/${id}`, title, section, why, sends: [`an answer: ${title}`], allows };
}

async function answer(
  subject: ClientSubject,
  { wire }: Arrival,
  parts: Parts,
  { pieces, before = "", behind }: AnswerOptions,
): Promise<void> {
  subject.log(parts);
  const peer = subject.peer(wire);
  const bytes = concat([
    latin1(before + partsText(parts)),
    behind?.(peer) ?? new Uint8Array(),
  ]);
  if (pieces === undefined) wire.send(bytes);
  else await wire.sendInPieces(bytes, pieces);
}

/** A case whose answer is these bytes. */
export function bytesAnswer(
  id: string,
  title: string,
  section: string,
  why: string,
  bytes: (good: string, peer: Peer) => Uint8Array | string,
  reaction: Reaction,
  options: CaseOptions = {},
): Case<ClientSubject> {
  const about = aboutAnswer(id, title, section, why, reaction);
  return newCase(about, options, async (subject) => {
    const { wire, head } = await subject.accept();
    const peer = subject.peer(wire);
    const given = bytes(partsText(subject.answerTo(head)), peer);
    subject.transcript.push(`> ${title}`);
    wire.send(typeof given === "string" ? latin1(given) : given);
    await reaction.check(subject, peer);
  });
}

/** A case about the client's request; the connection is opened afterwards. */
export function requestCase(
  id: string,
  title: string,
  section: string,
  why: string,
  check: (head: Head, subject: ClientSubject, arrival: Arrival) => void | Promise<void>,
): Case<ClientSubject> {
  const about = {
    id: `request/${id}`,
    title,
    section,
    why,
    sends: [],
    allows: [`a request: ${title}`],
  };
  return newCase(about, {}, async (subject) => {
    const arrival = await subject.accept();
    await check(arrival.head, subject, arrival);
    arrival.wire.send(utf8(partsText(subject.answerTo(arrival.head))));
    await converse(subject, subject.peer(arrival.wire), echo(text("Hello")));
  });
}

function latin1(given: string): Uint8Array {
  return Uint8Array.from(given, (it) => it.charCodeAt(0));
}
