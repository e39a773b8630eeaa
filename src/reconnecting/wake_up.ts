import type { Clock } from "../web_socket/clock.ts";

/** The events of a {@linkcode WakeUp}. */
export interface WakeUpEvents {
  /** Called when the process, the machine or the page has slept, or may have: connections may be dead. */
  onWake(): void;
  /** Called when the platform is online again. */
  onOnline(): void;
  /** Called when the platform is offline. */
  onOffline(): void;
}

/** The part of the global object that this module uses. */
export interface PageGlobals {
  readonly addEventListener?: EventTarget["addEventListener"] | undefined;
  readonly removeEventListener?: EventTarget["removeEventListener"] | undefined;
  readonly document?: { readonly visibilityState?: string } | undefined;
  readonly navigator?: { readonly onLine?: boolean } | undefined;
}

/** How often to check the clock, in milliseconds. Together with the timeout of a probe it stays below 2.5 seconds. */
const TICK = 400;

/** A check that is this late means that the process has slept, in milliseconds. */
const JUMP = 2000;

/** The platform's events about the network and about sleep. */
const EVENTS = ["online", "offline", "pageshow", "visibilitychange", "resume"];

/**
 * Detects that the process, the machine or the page has slept, and that the network comes or goes. All channels of a
 * clock share one timer and one set of listeners, which exist while a channel needs them.
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
   * Creates a detector that isn't active yet.
   *
   * @param clock The clock to check.
   * @param globals The global object, or a test's replacement.
   */
  constructor(clock: Clock, globals: PageGlobals = globalThis as unknown as PageGlobals) {
    this.#clock = clock;
    this.#globals = globals;
  }

  /** Returns the detector that all channels of a clock share. */
  static of(clock: Clock): WakeUp {
    let shared = SHARED.get(clock);
    if (shared === undefined) SHARED.set(clock, shared = new WakeUp(clock));
    return shared;
  }

  /** Whether the platform may have a network. */
  get isOnline(): boolean {
    return this.#globals.navigator?.onLine !== false;
  }

  /** Adds a listener, until {@linkcode remove}. */
  add(listener: WakeUpEvents): void {
    if (this.#listeners.size === 0) this.#start();
    this.#listeners.add(listener);
  }

  /** Removes a listener. */
  remove(listener: WakeUpEvents): void {
    if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#stop();
  }

  #start(): void {
    // In the capture phase, in which events of the document pass here first.
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

  // Compares two clocks: a monotonic clock may stop while the machine sleeps, and a stopped process only sees that its
  // timer is late.
  #look(): void {
    const now = this.#clock.now();
    const passed = Math.max(now - this.#now, (this.#clock.wall?.() ?? now) - this.#wall);
    this.#tick();
    // Timers of a hidden page are always late; an event reports when it becomes visible.
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
