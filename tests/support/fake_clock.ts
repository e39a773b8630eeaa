/** A clock that stands still until a test moves it: the package's own, by the name that older tests have for it. */

export { ManualClock as FakeClock } from "../../src/testing/manual_clock.ts";
