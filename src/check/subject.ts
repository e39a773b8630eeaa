/** What is checked, as its cases see it. */

import type { Peer } from "./peer.ts";
import type { CheckedSide, Verdict } from "./report.ts";

/** What compression a case needs: of the peer's messages, and of those that are sent to it. */
export interface Compression {
  /** The largest window of the peer's compressor, 8–15; left out: any. */
  readonly peerBits?: number;
  /** Whether the peer must not refer to its earlier messages. */
  readonly peerForgets?: boolean;
  /** The window that the peer has to keep for our messages, 8–15; left out: 15. */
  readonly ownBits?: number;
  /** Whether our messages don't refer to earlier ones. */
  readonly ownForgets?: boolean;
  /** Whether the case sends messages that refer to earlier ones. */
  readonly refersBack?: boolean;
}

/** What a case has: the peer, and where its findings go. */
export interface Subject {
  readonly side: CheckedSide;
  readonly transcript: string[];
  /** Opens a connection, or gives the client's. @throws {Fault} */
  open(compression?: Compression): Promise<Peer>;
  /** Adds a finding; the worst verdict counts. */
  note(verdict: Verdict, text: string): void;
}
