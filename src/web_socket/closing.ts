import { abnormalClosure, noStatusReceived } from "../../status.ts";
import type { Clock } from "./clock.ts";
import { Deadline } from "./deadline.ts";
import type { CloseFrameContent, CloseInfo, CloseInitiator } from "./close_info.ts";

/** How a channel ended, as its transport saw it. */
export interface Ending {
  /** Left out: the peer's Close if one was received, else 1006. */
  readonly received?: CloseFrameContent | undefined;
  readonly wasClean: boolean;
  /** Who ended it, unless this side had begun to close, or the peer had. */
  readonly initiator: CloseInitiator;
  readonly error?: unknown;
}

/** What is known of how a channel closes: nothing, before it does. */
export class Closing {
  /** Which side began to close an open connection. */
  closer: "local" | "remote" | null = null;
  /** The connection was failed. RFC 6455 §7.1.7. */
  isFailed = false;
  sent: CloseFrameContent | undefined;
  received: CloseFrameContent | undefined;
  error: unknown;
  /** How many bytes of payload were never handed to the transport. */
  dropped = 0;
  /** Whether the code and the reason are known. */
  isKnown = false;
  #deadline: Deadline | null = null;

  // RFC 6455 §7.1.5: the code of the first Close frame received, 1006 when there was none.
  /** The close code; `null` before it is known. */
  get code(): number | null {
    return this.isKnown ? this.received?.code ?? abnormalClosure : null;
  }

  /** The close reason; `null` before it is known. */
  get reason(): string | null {
    return this.isKnown ? this.received?.reason ?? "" : null;
  }

  /** Whether the closing handshake is done. */
  get isDone(): boolean {
    return this.sent !== undefined && this.received !== undefined;
  }

  /** Bounds the closing handshake, once. */
  startTimer(clock: Clock, ms: number, onTime: () => void): void {
    this.#deadline ??= new Deadline(clock, { ms, onTime });
  }

  /** It is over, or will be by itself. */
  stopTimer(): void {
    this.#deadline?.clear();
    this.#deadline = null;
  }

  /** What ended the channel, as error texts say it. */
  get text(): string {
    const { received } = this;
    if (received === undefined || this.closer === "local") return "the channel ended";
    const { code, reason } = received;
    return `the peer closed with ${code}${
      reason === "" ? "" : ` and the reason ${JSON.stringify(reason)}`
    }`;
  }

  /** The whole story, told when all is over. */
  info({ wasClean, initiator }: Ending): CloseInfo {
    const begun = this.isFailed
      ? "protocol-error"
      : wasClean || initiator === "transport"
      ? this.closer
      : null;
    return {
      code: this.code ?? abnormalClosure,
      reason: this.reason ?? "",
      wasClean,
      initiator: begun ?? initiator,
      ...(this.sent === undefined ? {} : { sent: this.sent }),
      ...(this.received === undefined ? {} : { received: this.received }),
      ...(this.error === undefined ? {} : { error: this.error }),
      ...(this.dropped === 0 ? {} : { dropped: this.dropped }),
    };
  }
}

/** The content of a Close frame as this package reports it. */
export function closeContent(code: number | undefined, reason: string): CloseFrameContent {
  return { code: code ?? noStatusReceived, reason };
}
