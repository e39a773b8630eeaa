import type { Verdict } from "./report.ts";

/** Something that the peer must not do: the case ends with this verdict. */
export class Fault extends Error {
  readonly verdict: Verdict;

  constructor(message: string, verdict: Verdict = "failed") {
    super(message);
    this.verdict = verdict;
  }
}

/** Nothing arrived in time. */
export class Silence extends Fault {
  constructor(message = "it does nothing in time") {
    super(message);
  }
}
