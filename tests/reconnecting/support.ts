/** A reconnecting channel over sockets, a clock and a page that the test controls. */

import { NativeChannel } from "../../src/native/native_channel.ts";
import { OwnReconnectingChannel } from "../../src/reconnecting/own_reconnecting_channel.ts";
import type { ReconnectingChannel } from "../../src/reconnecting/mod.ts";
import type { ReconnectingOptions, Target } from "../../src/reconnecting/reconnecting_channel.ts";
import type { ReconnectingState } from "../../src/reconnecting/state.ts";
import { type PageGlobals, WakeUp } from "../../src/reconnecting/wake_up.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import type { ConnectOptions, FromOptions } from "../../src/web_socket/options.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { microtasks } from "../support/events.ts";

/** Listeners of a page, counted. */
export class FakeTarget extends EventTarget {
  listeners = 0;

  override addEventListener(...args: Parameters<EventTarget["addEventListener"]>): void {
    this.listeners++;
    super.addEventListener(...args);
  }

  override removeEventListener(...args: Parameters<EventTarget["removeEventListener"]>): void {
    this.listeners--;
    super.removeEventListener(...args);
  }
}

/** A document that can be hidden. The page captures its events first. */
export class FakeDocument {
  visibilityState = "visible";
  readonly #page: EventTarget;

  constructor(page: EventTarget) {
    this.#page = page;
  }

  dispatchEvent(event: Event): boolean {
    return this.#page.dispatchEvent(event);
  }
}

/** A global object that can go offline. */
export class FakePage extends FakeTarget implements PageGlobals {
  readonly document: FakeDocument = new FakeDocument(this);
  readonly navigator: { onLine: boolean } = { onLine: true };

  /** Goes offline or online, with the events of a browser. */
  setOnline(isOnline: boolean): void {
    this.navigator.onLine = isOnline;
    this.dispatchEvent(new Event(isOnline ? "online" : "offline"));
  }

  /** How many listeners are left. */
  get left(): number {
    return this.listeners;
  }
}

/** Options of a {@linkcode Rig}. */
export interface RigOptions extends ReconnectingOptions {
  target?: Target | undefined;
  /** Whether there is no network at first. */
  offline?: boolean | undefined;
}

/** A channel, its sockets, and its controls. Random numbers are 0.5, unless the options set others. */
export class Rig {
  readonly clock: ManualClock = new ManualClock(1000);
  readonly page: FakePage = new FakePage();
  readonly wakeUp: WakeUp = new WakeUp(this.clock, this.page);
  /** The sockets of all attempts. */
  readonly sockets: FakeWebSocket[] = [];
  /** The URL and the options of all attempts. */
  readonly asked: [url: string, options: ConnectOptions][] = [];
  /** The states that were reported. */
  readonly states: ReconnectingState[] = [];
  readonly channel: ReconnectingChannel;

  constructor({ target = "ws://host/", offline = false, ...options }: RigOptions = {}) {
    this.page.navigator.onLine = !offline;
    const { onState } = options;
    this.channel = new OwnReconnectingChannel(
      target,
      {
        clock: this.clock,
        random: () => 0.5,
        ...options,
        onState: (state) => {
          this.states.push(state);
          onState?.(state);
        },
      },
      {
        connect: (url, options) => this.socketChannel(String(url), options),
        wakeUp: this.wakeUp,
      },
    );
  }

  /** Creates a channel over a new socket, like an attempt. */
  socketChannel(url: string, options: ConnectOptions = {}): NativeChannel {
    const socket = new FakeWebSocket(0);
    socket.onClose = (it) => {
      if (it.readyState === 2 && this.answersClose) {
        const [code = 1005, reason = ""] = it.closes.at(-1) as [number?, string?];
        queueMicrotask(() => it.readyState === 2 && it.closed({ code, reason, wasClean: true }));
      }
    };
    this.sockets.push(socket);
    this.asked.push([url, options]);
    const { protocols: _protocols, ...rest } = options;
    const { closeTimeout, connectTimeout } = rest;
    const known: FromOptions = {
      ...(closeTimeout === undefined ? {} : { closeTimeout }),
      ...(connectTimeout === undefined ? {} : { connectTimeout }),
    };
    return NativeChannel.from(socket, known, this.clock);
  }

  /** Whether the peers answer a Close at once. */
  answersClose = true;

  /** The latest socket. */
  get socket(): FakeWebSocket {
    return this.sockets.at(-1) as FakeWebSocket;
  }

  /** The names of the states that were reported. */
  get names(): string {
    return this.states.map(({ name }) => name).join(" ");
  }

  /** Lets the latest attempt succeed. */
  async open(): Promise<void> {
    this.socket.open();
    await microtasks();
  }

  /** Ends the latest socket, with 1006 unless a code is given. */
  async lose(code?: number, reason = ""): Promise<void> {
    this.socket.closed(code === undefined ? { code: 1006 } : { code, reason, wasClean: true });
    await microtasks();
  }

  /** Advances the clock. */
  async advance(ms: number): Promise<void> {
    this.clock.advance(ms);
    await microtasks();
  }

  /** The expected resources after the end of the channel: none. */
  get left(): { timers: number; listeners: number } {
    return { timers: this.clock.pending, listeners: this.page.left };
  }
}

/** Checks that nothing is left. */
export const NOTHING_LEFT = { timers: 0, listeners: 0 };
