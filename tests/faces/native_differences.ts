/**
 * What each runtime's own `WebSocket` does differently from the standard, by the cases that it fails. Deno 2, Node 26 and
 * Bun 1; Node 20 has none.
 *
 * @module
 */

/** The names of the cases, or what several begin with. */
export const NATIVE_DIFFERENCES: Readonly<Record<string, readonly string[]>> = {
  deno: [
    "Event handlers: a handler keeps its place among the listeners until it is removed",
    "Feedback from the protocol: a lost connection is 1006, not clean",
    "Feedback from the protocol: a message event has data and an origin, and nothing else",
    "Feedback from the protocol: close() in a message event: no further message",
    "Feedback from the protocol: each event is a task: microtasks run between two of them",
    "Interface definition: a getter of another object throws, a Proxy's as well",
    "Interface definition: getters and setters have their names",
    "Interface definition: the constants are on the class and on its prototype, and stay",
    "Interface definition: what a subclass overrides isn't called",
    "Event handlers: one that returns false cancels what can be cancelled",
    "Interface definition: the names and the lengths",
    "The constructor: port ",
    "The opening handshake: a refusal is an error, and 1006",
    "The opening handshake: a subprotocol that was offered and isn't chosen fails",
    "bufferedAmount: after close() it grows by what is sent, and never falls",
    "bufferedAmount: it grows by the bytes of a Blob, at once and for all of the task",
    "close(): messages that come after it aren't fired",
    "close(): the Close frame of no code and a reason, which has 1000",
    "close(): while connecting: CLOSING at once, then error and close, and no open",
    "send(): bytes are taken as they are in the call",
  ],
  node: [
    "Event handlers: one that returns false cancels what can be cancelled",
    "Interface definition: what a subclass overrides isn't called",
    "send(): a buffer that can be resized throws, and so does a view of it",
    "send(): an object's own properties say nothing of its bytes",
    "close(): while connecting: CLOSING at once, then error and close, and no open",
    "bufferedAmount: after close() it grows by what is sent, and never falls",
    "binaryType: it is blob, then what it is set to; anything else is ignored",
    "send(): bytes are taken as they are in the call",
    "send(): shared memory throws, the buffer itself as well as a view",
    "send(): a detached buffer has no bytes",
    "Event handlers: a handler keeps its place among the listeners until it is removed",
    "Feedback from the protocol: each event is a task: microtasks run between two of them",
  ],
  bun: [
    "Feedback from the protocol: a lost connection has failed: an error",
    "send(): an object's own properties say nothing of its bytes",
    "The constructor: an empty host is a SyntaxError",
    "The constructor: a blank in the host is a SyntaxError",
    "The constructor: another scheme is a SyntaxError",
    "The constructor: about:blank is a SyntaxError",
    "The constructor: a fragment is a SyntaxError",
    "The constructor: an empty fragment is a SyntaxError",
    "The constructor: a port that is none is a SyntaxError",
    "The constructor: subprotocols: ",
    "close(): 1001 is an InvalidAccessError",
    "close(): 1002 is an InvalidAccessError",
    "close(): 124 characters, too many bytes, are a SyntaxError",
    "close(): 62 characters, too many bytes, are a SyntaxError",
    "close(): 42 characters, too many bytes, are a SyntaxError",
    "close(): a wrong code comes before a long reason",
    "close(): arguments are checked in every state",
    "bufferedAmount: it ",
    "binaryType: it is blob, then what it is set to; anything else is ignored",
    "binaryType: blob gives Blobs of the bytes",
    "binaryType: it is read when the event is fired",
  ],
};
