/** What a case is made of. */

import { Fault } from "./fault.ts";
import type { Peer } from "./peer.ts";
import type { CaseInfo } from "./report.ts";
import type { Step } from "./steps.ts";
import type { Compression, Subject } from "./subject.ts";

/** A case, and how it is run. */
export interface Case<S extends Subject = Subject> extends CaseInfo {
  /** How many of the connections that run at a time it takes the place of. */
  readonly weight: number;
  /** The subprotocols that the client should offer. */
  readonly protocols: readonly string[];
  /** How many connections a client has to open for it. */
  readonly connections: number;
  run(subject: S): Promise<void>;
}

/** What may be left out of a case. */
export interface CaseOptions {
  /** `undefined`: none. */
  readonly compression?: Compression | undefined;
  readonly isVariant?: boolean;
  readonly weight?: number;
  readonly protocols?: readonly string[];
  readonly connections?: number;
}

/** A case; what its options leave out is that of most cases. */
export function newCase<S extends Subject>(
  about: Omit<CaseInfo, "isVariant">,
  { isVariant = false, weight = 1, protocols = [], connections = 1 }: CaseOptions,
  run: (subject: S) => Promise<void>,
): Case<S> {
  return { ...about, isVariant, weight, protocols, connections, run };
}

/** A case of frames on an open connection, for either side. */
export function connectionCase(
  id: string,
  title: string,
  section: string,
  why: string,
  steps: readonly Step[],
  options: CaseOptions = {},
): Case {
  const sends = steps.flatMap((it) => it.sends);
  const allows = steps.flatMap((it) => it.allows);
  return newCase({ id, title, section, why, sends, allows }, options, async (subject) => {
    const peer = await subject.open(options.compression);
    try {
      await converse(subject, peer, steps);
    } finally {
      peer.wire.destroy();
    }
  });
}

/** Runs steps, and closes the connection if they haven't. */
export async function converse(
  subject: Subject,
  peer: Peer,
  steps: readonly Step[],
): Promise<void> {
  for (const step of steps) {
    if (await step.run({ subject, peer }) === "over") return;
  }
  await sayGoodbye(peer);
}

/** Closes the connection. All that is wrong here is that the peer has more to say: other cases are about closing. */
async function sayGoodbye(peer: Peer): Promise<void> {
  peer.wire.patience = Math.min(peer.wire.patience, 1000);
  peer.send([GOODBYE]);
  const event = await peer.next();
  if (event.kind === "message" || event.kind === "pong") {
    throw new Fault(`it sends more than it should: ${peer.transcript.at(-1)}`);
  }
}

const GOODBYE = { opcode: 8, payload: Uint8Array.of(0x03, 0xe8), fin: true, rsv: 0 };
