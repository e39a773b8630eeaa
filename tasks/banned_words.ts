/** The only list of words that the project's texts do not use: see CONTRIBUTING.md. */

/** Banned words, and their replacement. */
export interface BannedWords {
  /** A regular expression; a space in it also matches where a line ends. */
  readonly pattern: string;
  readonly instead: string;
}

/** A place where banned words are correct. */
export interface FalseAlarm {
  /** A regular expression of the text around the words. */
  readonly pattern: string;
  readonly reason: string;
}

const DONE = "(?:is|are|was|were|be|been|being|isn't|aren't|not|gets?)";

export const BANNED_WORDS: readonly BannedWords[] = [
  { pattern: `${DONE} told`, instead: "is reported, is notified" },
  { pattern: "tells? (?:of|everybody|nobody|whoever)", instead: "reports" },
  {
    pattern: "what (?:comes|goes)(?! wrong\\b)(?: in| out)?",
    instead: "incoming, outgoing, received, sent",
  },
  {
    pattern: "(?:is|are|was|were|isn't) over(?=[.,;:)!?`\"]| (?:and|when|but|now|once|for) )",
    instead: "has ended, is closed",
  },
  {
    pattern: "go(?:es)? round|gives? back|given back|lends?|lent",
    instead: "is reused, pooled; releases",
  },
  { pattern: "under way|on (?:the|its|their) way", instead: "in flight, pending" },
  { pattern: "time-outs?", instead: "timeout" },
  {
    pattern: "somebody(?:'s)?|nobody(?:'s)?|everybody(?:'s)?|whoever",
    instead: "the actor: the user, the caller, the peer, another task; no reader",
  },
  { pattern: "by turns", instead: "in turn, alternately" },
  { pattern: "all of it|as far as", instead: "everything; where, if" },
  { pattern: "for ever", instead: "without an end, without a limit" },
  {
    pattern:
      "ha(?:s|ve) (?:come|gone)(?! (?:on|off|in|out|to|through|from|into|down|up|back|over)\\b)",
    instead: "has joined, has left, has arrived",
  },
  { pattern: "only tries|outgrows?", instead: "is a smoke test; scales out" },
  { pattern: "makes (?:one|it|them)\\.", instead: "what the caller has to know" },
  { pattern: "of chance|accused?|put up with", instead: "random; blamed; allowed" },
  { pattern: "who (?:does not|doesn't)", instead: "a receiver that can't; otherwise" },
  { pattern: "which is to say|that is to say", instead: "a sentence of its own" },
  {
    pattern: "(?:is|are|can't be|can be|to be) had\\b|in vain",
    instead: "is available; without success",
  },
  { pattern: "yours to say|of (?:his|its|their|your|somebody's) making", instead: "is up to you" },
  { pattern: "to and fro|takes turns", instead: "in both directions; alternates" },
];

export const FALSE_ALARMS: readonly FalseAlarm[] = [
  {
    pattern: "user\\.unprivileged: nobody",
    reason: "the name of an account, in a proxy's settings",
  },
];
