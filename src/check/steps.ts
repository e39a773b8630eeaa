/** The steps of cases: what is sent, and what the peer may do then. */

import { isSame, shown, size } from "./bytes.ts";
import { close, describe, describeAll, type Frame, isMessage, text } from "./frames.ts";
import { Fault } from "./fault.ts";
import { answerTo, type Event, type Peer, shownEvent } from "./peer.ts";
import type { Verdict } from "./report.ts";
import type { Subject } from "./subject.ts";

/** Where a step is run. */
export interface Place {
  readonly subject: Subject;
  readonly peer: Peer;
}

/** A part of a case. */
export interface Step {
  readonly sends: readonly string[];
  readonly allows: readonly string[];
  /** `"over"`: the connection has ended. @throws {Fault} */
  run(place: Place): Promise<"over" | void>;
}

/** Sends frames in one piece. */
export function send(...frames: readonly Frame[]): Step {
  return {
    sends: describeAll(frames),
    allows: [],
    run: ({ peer }) => Promise.resolve(peer.send(frames)),
  };
}

/** Sends frames that are made when they are needed: many, or large ones. */
export function sendMade(sends: string, make: () => readonly Frame[]): Step {
  return { sends: [sends], allows: [], run: ({ peer }) => Promise.resolve(peer.send(make())) };
}

/** Sends frames in pieces of so many bytes, whatever the frames' borders. */
export function sendInPieces(length: number, ...frames: readonly Frame[]): Step {
  return {
    sends: [...describeAll(frames), `(in pieces of ${size(length)})`],
    allows: [],
    run: ({ peer }) => peer.sendInPieces(frames, length),
  };
}

/** Something that the peer may do. */
export interface Branch {
  readonly allows: string;
  /** Default "ok". */
  readonly verdict?: Verdict;
  /** The finding, where the verdict isn't "ok". */
  readonly note?: (event: Event) => string;
  matches(event: Event): boolean;
  /** What follows then; left out: the next step. */
  readonly then?: readonly Step[];
  /** Whether the connection ends with it. */
  readonly isEnd?: boolean;
}

/** Waits for the next thing that the peer does, which must be one of these. */
export function either(...branches: readonly Branch[]): Step {
  const allows = [branches.map(({ allows: it }) => it).join(", or ")];
  return {
    sends: [],
    allows,
    async run({ subject, peer }) {
      const event = await peer.next();
      const branch = branches.find((it) => it.matches(event));
      if (branch === undefined) {
        throw new Fault(`expected: ${allows[0]}; it did: ${shownEvent(event)}`);
      }
      const { verdict = "ok", note } = branch;
      subject.note(verdict, note?.(event) ?? "");
      for (const step of branch.then ?? []) {
        if (await step.run({ subject, peer }) === "over") return "over";
      }
      if (!branch.isEnd) return;
      if (event.kind === "close") await finish(peer, event.code);
      return "over";
    },
  };
}

/** The peer has sent a Close that wasn't answered yet. */
async function finish(peer: Peer, code: number | null): Promise<void> {
  if (!peer.hasSentClose) peer.send([answerTo(code)]);
  await untilOver(peer);
}

/** Both have sent a Close: the server ends TCP at once (RFC 6455 §7.1.1). */
async function untilOver(peer: Peer): Promise<void> {
  // A client may wait for the server to end TCP.
  if (peer.side === "client") peer.wire.end();
  const event = await peer.next();
  if (event.kind === "silence") {
    throw new Fault("it keeps TCP open behind the closing handshake (RFC 6455 §7.1.1)");
  }
  if (event.kind !== "end") throw new Fault(`it goes on behind its Close: ${shownEvent(event)}`);
}

/** A message. */
export function message(frame: Frame, more: Partial<Branch> = {}): Branch {
  return {
    allows: describe({ ...frame, rsv: 0 }),
    matches: (event) =>
      event.kind === "message" && isMessage(event.frame, frame.opcode, frame.payload),
    ...more,
  };
}

/** A message that is made when it is needed. */
export function messageMade(allows: string, make: () => Frame, more: Partial<Branch> = {}): Branch {
  return { ...more, allows, matches: (event) => message(make()).matches(event) };
}

/** Expects these messages back, in this order. */
export function back(...frames: readonly Frame[]): Step {
  if (frames.length === 1 && frames[0] !== undefined) return either(message(frames[0]));
  return {
    sends: [],
    allows: describeAll(frames),
    async run(place) {
      for (const frame of frames) await either(message(frame)).run(place);
    },
  };
}

/** Sends a message and expects it back. */
export function echo(frame: Frame): Step[] {
  return [send(frame), back(frame)];
}

/** The answer to a Ping. */
export function pongOf(payload: Uint8Array, more: Partial<Branch> = {}): Branch {
  return {
    allows: `Pong: ${shown(payload)}`,
    matches: (event) => event.kind === "pong" && isSame(event.frame.payload, payload),
    ...more,
  };
}

/** Expects the Pongs of Pings, in this order. */
export function pongs(...pings: readonly Frame[]): Step {
  return {
    sends: [],
    allows: describeAll(pings.map((it) => ({ ...it, opcode: 10 }))),
    async run(place) {
      for (const { payload } of pings) await either(pongOf(payload)).run(place);
    },
  };
}

/** Expects messages back and Pongs of Pings: each in its order, the ones before or behind the others. */
export function backAndPongs(messages: readonly Frame[], pings: readonly Frame[]): Step {
  return {
    sends: [],
    allows: [
      [...describeAll(messages), ...describeAll(pings.map((it) => ({ ...it, opcode: 10 })))].join(
        ", ",
      ),
    ],
    async run(place) {
      const left = [...messages];
      const asked = [...pings];
      while (left.length + asked.length > 0) {
        const [next] = left;
        const [ping] = asked;
        await either(
          ...next === undefined ? [] : [message(next, { then: [did(() => left.shift())] })],
          ...ping === undefined ? [] : [pongOf(ping.payload, { then: [did(() => asked.shift())] })],
        ).run(place);
      }
    },
  };
}

/** Does something. */
function did(act: () => unknown): Step {
  return { sends: [], allows: [], run: () => Promise.resolve(void act()) };
}

/**
 * Expects the answers to Pings that came together: all, or the last and some of the others (RFC 6455 §5.5.3). A limit may
 * refuse a flood.
 */
export function lastPong(pings: readonly Frame[], mayRefuse: boolean = false): Step {
  return {
    sends: [],
    allows: [
      `a Pong for each Ping, or for some of them and the last one, in order${
        mayRefuse ? "; or the end of the connection (informational)" : ""
      }`,
    ],
    async run({ subject, peer }) {
      let answered = 0;
      for (let at = 0; at < pings.length; answered++) {
        const event = await peer.next();
        const found = pings.findIndex((it, i) =>
          i >= at && event.kind === "pong" && isSame(event.frame.payload, it.payload)
        );
        if (mayRefuse && (event.kind === "end" || event.kind === "close")) {
          subject.note("informational", `it ends the connection after ${answered} Pongs`);
          return "over";
        }
        if (found < 0) throw new Fault(`expected a Pong for a Ping; it did: ${shownEvent(event)}`);
        at = found + 1;
      }
      if (answered < pings.length) {
        subject.note(
          "ok",
          `it answers ${answered} of ${pings.length} Pings that came together`,
        );
      }
      return undefined;
    },
  };
}

const codeNames = (codes: readonly number[]): string => codes.join(" or ");

/** A Close with one of these codes. */
export function closing(codes: readonly (number | null)[], more: Partial<Branch> = {}): Branch {
  const names = codes.map((code) => code === null ? "without a code" : `${code}`);
  return {
    allows: `Close ${names.join(" or ")}`,
    matches: (event) => event.kind === "close" && codes.includes(event.code),
    isEnd: true,
    ...more,
  };
}

/** Any other Close. */
const otherClose = (codes: readonly number[]): Branch => ({
  allows: "a Close with another code (non-strict)",
  verdict: "non-strict",
  matches: (event) => event.kind === "close",
  note: (event) =>
    `it closes with ${event.kind === "close" ? event.code ?? "no code" : ""} in place of ${
      codeNames(codes)
    }`,
  isEnd: true,
});

/** RFC 6455 §7.1.7: a Close *should* come first. */
const bareEnd: Branch = {
  allows: "the end of TCP (non-strict)",
  verdict: "non-strict",
  matches: (event) => event.kind === "end",
  note: () => "it ends TCP without a Close, which it should send first (RFC 6455 §7.1.7)",
  isEnd: true,
};

/** What a peer does that fails the connection with one of these codes. */
export function failing(codes: readonly number[]): Branch[] {
  return [closing(codes), otherClose(codes), bareEnd];
}

/** RFC 6455 §7.1.7: the peer must fail the connection. */
export function fails(...codes: readonly number[]): Step {
  return either(...failing(codes));
}

/**
 * A message, and behind it something that fails the connection: the message comes back first; or the connection has failed
 * before the peer could answer, which is its own affair.
 */
export function backThenFails(frame: Frame, ...codes: readonly number[]): Step {
  const early = failing(codes).map((it) => ({
    ...it,
    allows: `${it.allows} at once (informational)`,
    verdict: "informational" as const,
    note: () => "it fails the connection before it answers the message in front",
  }));
  return either(message(frame, { then: [fails(...codes)] }), ...early);
}

/** A message was sent, and a Close behind it: the answer to the message comes first, or is left out. */
export function mayBeLeftOut(frame: Frame): Step {
  return either(
    message(frame),
    closing([1000], {
      allows: "Close at once (informational)",
      verdict: "informational",
      note: () => "it closes without an answer to the message in front of the Close",
    }),
  );
}

/** Expects an answer to the Close that was sent: with one of these codes. Another code has that verdict. */
export function answersClose(
  codes: readonly (number | null)[],
  other: Verdict = "non-strict",
): Step {
  const branches: Branch[] = [closing(codes, { isEnd: false }), {
    allows: `a Close with another code (${other})`,
    verdict: other,
    matches: (event) => event.kind === "close",
    note: (event) =>
      `it answers with ${
        event.kind === "close" ? event.code ?? "no code" : ""
      }, not with the code that it got (RFC 6455 §5.5.1)`,
  }];
  const answer = either(...branches);
  return {
    sends: [],
    allows: [...answer.allows, "the end of TCP, by the server"],
    async run(place) {
      await answer.run(place);
      await untilOver(place.peer);
      return "over";
    },
  };
}

/** Ends our half of TCP; expects the peer to end as well. */
export function endsWithUs(): Step {
  return {
    sends: ["the end of TCP"],
    allows: ["the end of TCP; before it a Close"],
    async run({ peer }) {
      peer.wire.end();
      let event = await peer.next();
      if (event.kind === "close") event = await peer.next();
      if (event.kind !== "end") {
        throw new Fault(`expected the end of TCP; it did: ${shownEvent(event)}`);
      }
      return "over";
    },
  };
}

/** The peer has failed the connection, and its Close is never answered; frames go on arriving, one in a turn. It ends TCP. */
function lingers(frame: Frame | null): Step {
  return {
    sends: frame === null ? [] : [`${describe(frame)}, again and again`],
    allows: ["the end of TCP; a longer wait for our Close (informational)"],
    async run({ subject, peer }) {
      if (frame !== null) await peer.wire.sendInPieces(peer.encode(many(frame)), FRAME);
      const event = await peer.next();
      if (event.kind === "silence") {
        subject.note("informational", "it waits longer than this case for an answer to its Close");
      } else if (event.kind !== "end") {
        throw new Fault(`it goes on behind its Close: ${shownEvent(event)}`);
      }
      return "over";
    },
  };
}

const many = (frame: Frame): Frame[] => new Array(100).fill(frame);
const FRAME = 16;

/** Fails the connection, as `fails` says; its Close is never answered, and TCP stays open. */
export function failsAlone(codes: readonly number[], meanwhile: Frame | null = null): Step {
  const then = [lingers(meanwhile)];
  return either(
    ...failing(codes).map((it) => it === bareEnd ? it : { ...it, isEnd: false, then }),
  );
}

/** Answers the Close, and ends TCP although bytes go on arriving. */
export function closesInTime(code: number): Step {
  return {
    sends: ["bytes that are no frames, one at a time"],
    allows: [`Close ${code}, then the end of TCP`],
    async run(place) {
      await either(closing([code], { isEnd: false })).run(place);
      await place.peer.wire.sendInPieces(new Uint8Array(100).fill(0x2a), 1);
      await untilOver(place.peer);
      return "over";
    },
  };
}

/** Resets TCP, then expects that another connection works. */
export function resets(): Step {
  return {
    sends: ["a reset of TCP"],
    allows: ["another connection works"],
    async run({ subject, peer }) {
      subject.transcript.push("> reset of TCP, and another connection");
      await peer.wire.reset();
      await worksAgain(subject);
      return "over";
    },
  };
}

/** Opens another connection, and expects a message back. @throws {Fault} */
export async function worksAgain(subject: Subject): Promise<void> {
  const peer = await subject.open();
  for (const step of echo(text("Hello"))) await step.run({ subject, peer });
}

/** Closes in an orderly way: a case whose point is that nothing else comes. */
export function closes(): Step[] {
  return [send(close(1000)), answersClose([1000])];
}
