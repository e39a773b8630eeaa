import type { Clock } from "../web_socket/clock.ts";

/** What a {@linkcode WakeUp} reports. */
export interface WakeUpEvents {
  /** The process, the machine or the page has slept, or may have: connections may be dead. */
  onWake(): void;
  /** The platform has a network again. */
  onOnline(): void;
  /** The platform has no network. */
  onOffline(): void;
}

/** What is used of the global object. */
export interface PageGlobals {
  readonly addEventListener?: EventTarget["addEventListener"] | undefined;
  readonly removeEventListener?: EventTarget["removeEventListener"] | undefined;
  readonly document?: { readonly visibilityState?: string } | undefined;
  readonly navigator?: { readonly onLine?: boolean } | undefined;
}

/** How often to look at the clock, in milliseconds: this, and the deadline of a probe, are less than 2.5 s. */
const TICK = 400;

/** A look that comes so much too late means that time has jumped, in milliseconds. */
const JUMP = 2000;

/** The platform says by events what has happened. */
const EVENTS = ["online", "offline", "pageshow", "visibilitychange", "resume"];

/**
 * Notices that the process, the machine or the page has slept, and that the network goes and comes. All
 * channels of a clock share one timer and one set of listeners, which are there while a channel needs them.
 */
export class WakeUp {
  readonly #clock: Clock;
  readonly #globals: PageGlobals;
  readonly #listeners: Set<WakeUpEvents> = new Set();
  readonly #onEvent = ({ type }: Event): void => this.#hear(type);
  #timer: unknown;
  #now = 0;
  #wall = 0;

  /**
   * Creates one that doesn't watch yet.
   *
   * @param clock Where times come from.
   * @param globals The global object, or a test's own.
   */
  constructor(clock: Clock, globals: PageGlobals = globalThis as unknown as PageGlobals) {
    this.#clock = clock;
    this.#globals = globals;
  }

  /** The one that all channels of a clock share. */
  static of(clock: Clock): WakeUp {
    let shared = SHARED.get(clock);
    if (shared === undefined) SHARED.set(clock, shared = new WakeUp(clock));
    return shared;
  }

  /** Whether the platform may have a network. */
  get isOnline(): boolean {
    return this.#globals.navigator?.onLine !== false;
  }

  /** Reports to one more listener, until {@linkcode remove}. */
  add(listener: WakeUpEvents): void {
    if (this.#listeners.size === 0) this.#start();
    this.#listeners.add(listener);
  }

  /** Ends that. */
  remove(listener: WakeUpEvents): void {
    if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#stop();
  }

  #start(): void {
    // Those of the document pass here before they are there.
    for (const type of EVENTS) this.#globals.addEventListener?.(type, this.#onEvent, true);
    this.#tick();
  }

  #stop(): void {
    this.#clock.clearTimeout(this.#timer);
    for (const type of EVENTS) this.#globals.removeEventListener?.(type, this.#onEvent, true);
  }

  #tick(): void {
    this.#now = this.#clock.now();
    this.#wall = this.#clock.wall?.() ?? this.#now;
    this.#timer = this.#clock.setTimeout(() => this.#look(), TICK);
    this.#clock.unref?.(this.#timer);
  }

  // A monotonic clock may stand still while the machine sleeps; a stopped process only notices that it is late.
  #look(): void {
    const now = this.#clock.now();
    const passed = Math.max(now - this.#now, (this.#clock.wall?.() ?? now) - this.#wall);
    this.#tick();
    // The timers of a page that isn't seen are late all the time: it tells when it is seen again.
    const isThrottled = this.#globals.document?.visibilityState === "hidden";
    if (passed >= TICK + JUMP && !isThrottled) this.#tell("onWake");
  }

  #hear(type: string): void {
    if (type === "online") this.#tell("onOnline");
    else if (type === "offline") this.#tell("onOffline");
    else if (this.#globals.document?.visibilityState !== "hidden") this.#tell("onWake");
  }

  #tell(what: keyof WakeUpEvents): void {
    for (const listener of [...this.#listeners]) {
      if (this.#listeners.has(listener)) listener[what]();
    }
  }
}

const SHARED: WeakMap<Clock, WakeUp> = /* @__PURE__ */ new WeakMap();
