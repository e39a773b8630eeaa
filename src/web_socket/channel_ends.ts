import type { SinkTarget } from "../stream_channel/channel_sink.ts";
import type { StreamSource } from "../stream_channel/channel_stream.ts";
import type { ChannelSinkController } from "../stream_channel/sink_controller.ts";
import { type Capabilities, lacking } from "./capabilities.ts";
import { EarlyMessages } from "./early_messages.ts";
import { checkMessage } from "./message_input.ts";
import type { ChannelState } from "./web_socket_channel.ts";
import type { MessageInput, SendOptions, SinkActions } from "./web_socket_sink.ts";

/** The channel between an {@linkcode Inlet} and an {@linkcode Outlet}. */
export interface ChannelCore {
  readonly state: ChannelState;
  readonly capabilities: Capabilities;
  readonly outgoing: ChannelSinkController<MessageInput>;
  /** See {@linkcode SinkTarget.ending}. */
  readonly ending: string | undefined;
  /**
   * Sends a message, on an open connection. It is of the right kind. Gives `false` when it drops the
   * message, because the peer turns out to be gone.
   */
  sendMessage(message: MessageInput, options: SendOptions | undefined): boolean | void;
  /** How many bytes of payload were sent and not yet handed on. */
  transportAmount(): number;
  /** How many bytes of payload are held back until there is room, or were when the channel ended. */
  heldAmount(): number;
  /** How many bytes wait to be handed on, with all that goes beside payloads. */
  transportLoad(): number;
  /** Enough waits to be read. */
  pauseTransport(): void;
  /** There is room to read again. */
  resumeTransport(): void;
  /** Somebody waits for {@linkcode transportAmount} to fall. */
  watchTransport(): void;
  /** The user closes, and waits for the end. */
  closeWith(code: number | undefined, reason: string | undefined): Promise<void>;
  /** The user closes: the stream ends at once. */
  endHere(code: number | undefined, reason: string | undefined): void;
  /** An error was put into the sink. */
  endWith(error: unknown): void;
}

/** What feeds a channel's stream. */
export class Inlet implements StreamSource {
  readonly #channel: ChannelCore;

  /** @param channel Reads. */
  constructor(channel: ChannelCore) {
    this.#channel = channel;
  }

  pause(): void {
    this.#channel.pauseTransport();
  }

  resume(): void {
    this.#channel.resumeTransport();
  }

  close(): void {
    void this.#channel.closeWith(undefined, undefined);
  }
}

/** Where a channel's sink hands messages to: they wait here until the connection is open. */
export class Outlet implements SinkTarget<MessageInput>, SinkActions {
  readonly #channel: ChannelCore;
  #early: EarlyMessages | null = null;
  /** Those of the message that is being added. */
  #options: SendOptions | undefined;

  /** @param channel Sends. */
  constructor(channel: ChannelCore) {
    this.#channel = channel;
  }

  get bufferedAmount(): number {
    const early = this.#early === null ? 0 : this.#early.amount;
    return early + this.#channel.heldAmount() + this.#channel.transportAmount();
  }

  /** Messages without a payload take room as well. */
  get load(): number {
    const early = this.#early;
    return (early === null ? 0 : early.amount + early.length) + this.#channel.transportLoad();
  }

  get ending(): string | undefined {
    return this.#channel.ending;
  }

  add(message: MessageInput): boolean | void {
    checkMessage(message);
    if (this.#channel.state === "open") return this.#channel.sendMessage(message, this.#options);
    (this.#early ??= new EarlyMessages()).add(message, this.#options);
  }

  addWith(message: MessageInput, options: SendOptions): boolean {
    if (options.compress === false && !this.#channel.capabilities["compressionOptions"]) {
      throw lacking("compressionOptions");
    }
    this.#options = options;
    try {
      return this.#channel.outgoing.add(message);
    } finally {
      this.#options = undefined;
    }
  }

  check(message: MessageInput): void {
    checkMessage(message);
  }

  close(): void {
    this.#channel.endHere(undefined, undefined);
  }

  closeWith(code: number | undefined, reason: string | undefined): Promise<void> {
    return this.#channel.closeWith(code, reason);
  }

  abort(error: unknown): void {
    this.#channel.endWith(error);
  }

  watch(): void {
    const { state } = this.#channel;
    if (state === "open" || state === "closing") this.#channel.watchTransport();
  }

  /** The connection is open: what waited is sent. */
  sendEarly(): void {
    const early = this.#early;
    this.#early = null;
    while (early !== null && early.length > 0 && this.#channel.state === "open") {
      const { message, options } = early.shift();
      this.#channel.sendMessage(message, options);
    }
  }

  /** The connection never opens: what waited is forgotten, but for how much it was. */
  dropEarly(): void {
    this.#early?.drop();
  }
}
