/** Clients that always have messages in flight, also while their server restarts. */

import { NetWebSocketChannel } from "../../src/net/mod.ts";
import type { CloseInfo } from "../../src/web_socket/close_info.ts";

/** The counts of the clients. */
export interface Figures {
  /** How many connections were opened. */
  connections: number;
  /** How many messages were sent for the first time. */
  sent: number;
  /** How many messages were sent again, because they had no answer when the server closed. */
  resent: number;
  /** How many messages were echoed. */
  echoed: number;
  /** How many echoes were not the expected next one. */
  wrong: number;
  /** How many attempts were refused because nothing listened. */
  refused: number;
  /** How many attempts were reset, or ended without an answer. */
  reset: number;
  /** The number of connections for each kind of end. */
  readonly endings: Record<string, number>;
}

/** How many messages of a client may be unanswered. */
const WINDOW = 8;

/** How many clients repeatedly connect for a single message: they detect refused connections. */
const VISITORS = 2;

/** Clients that send messages and wait for their echoes, or only upload. */
export class Load {
  readonly figures: Figures = {
    connections: 0,
    sent: 0,
    resent: 0,
    echoed: 0,
    wrong: 0,
    refused: 0,
    reset: 0,
    endings: {},
  };
  readonly #url: string;
  readonly #isUpload: boolean;
  readonly #clients: Promise<void>[] = [];
  readonly #open: Set<NetWebSocketChannel> = new Set();
  #stayed = 0;
  #stopping = false;
  #abandoned = false;
  #onOpen: () => void = () => {};

  constructor(url: string, isUpload: boolean, clients: number) {
    this.#url = url;
    this.#isUpload = isUpload;
    for (let i = 0; i < clients; i++) this.#clients.push(this.#run(`client ${i}`, Infinity));
    for (let i = 0; i < VISITORS; i++) this.#clients.push(this.#run(`visitor ${i}`, 1));
  }

  /** How many connections of long-lived clients have been opened so far. */
  get stayed(): number {
    return this.#stayed;
  }

  /** Fulfils when the given total of connections of long-lived clients have been opened. */
  async opened(connections: number): Promise<void> {
    while (this.#stayed < connections) {
      await new Promise<void>((resolve) => this.#onOpen = resolve);
    }
  }

  /** Sends nothing new; fulfils when every message has its echo. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#clients);
  }

  /** Abandons all clients. */
  async abandon(): Promise<void> {
    this.#abandoned = true;
    for (const channel of this.#open) channel.terminate();
    await Promise.all(this.#clients);
  }

  /** @param most The maximum number of messages on one connection. */
  async #run(name: string, most: number): Promise<void> {
    const unanswered: string[] = [];
    const counter = { next: 0, until: 0 };
    do {
      const channel = NetWebSocketChannel.connect(this.#url);
      this.#open.add(channel);
      const isOpen = await channel.ready.then(() => true, () => false);
      if (isOpen) {
        this.figures.connections++;
        if (most === Infinity) this.#stayed++;
        counter.until = counter.next + most;
        this.#onOpen();
        if (this.#isUpload) await this.#upload(channel, name, most);
        else await this.#talk(channel, name, unanswered, counter);
      }
      this.#count(await channel.closed);
      this.#open.delete(channel);
      if (this.#abandoned) return;
    } while (!this.#stopping || unanswered.length > 0);
  }

  async #talk(
    channel: NetWebSocketChannel,
    name: string,
    unanswered: string[],
    counter: { next: number; until: number },
  ): Promise<void> {
    const { figures } = this;
    for (const message of unanswered) if (channel.sink.add(message)) figures.resent++;
    const fill = (): void => {
      const isAllowed = (): boolean => !this.#stopping && counter.next < counter.until;
      while (unanswered.length < WINDOW && isAllowed() && channel.state === "open") {
        const message = `${name}, message ${counter.next}`;
        if (!channel.sink.add(message)) return;
        counter.next++;
        figures.sent++;
        unanswered.push(message);
      }
    };
    fill();
    if (unanswered.length > 0) {
      for await (const message of channel.stream) {
        if (message === unanswered.shift()) figures.echoed++;
        else figures.wrong++;
        fill();
        if (unanswered.length === 0) break;
      }
    }
    await channel.sink.close(1000);
  }

  async #upload(channel: NetWebSocketChannel, name: string, most: number): Promise<void> {
    channel.stream.listen(() => {});
    for (let sent = 0; channel.state === "open" && !this.#stopping && sent < most;) {
      for (const end = Math.min(sent + WINDOW, most); sent < end; sent++) {
        if (channel.sink.add(`${name}, upload ${sent}`)) this.figures.sent++;
      }
      // Wait until the server has the batch: the test doesn't measure throughput.
      await channel.ping().catch(() => {});
    }
    await channel.sink.close(1000);
  }

  #count({ code, wasClean, dropped, error }: CloseInfo): void {
    const { figures } = this;
    if (error !== undefined && (error as { phase?: string }).phase !== undefined) {
      const { code } = ((error as Error).cause ?? {}) as { code?: string };
      if (code === "ECONNREFUSED") figures.refused++;
      else figures.reset++;
      return;
    }
    const how = `${code}${wasClean ? "" : ", not clean"}${
      dropped === undefined ? "" : `, ${dropped} bytes not sent`
    }`;
    figures.endings[how] = (figures.endings[how] ?? 0) + 1;
  }
}
