/**
 * All that makes a connection, as one module that can be loaded when the first one is wanted: what
 * never dials, a page in a browser above all, doesn't carry it.
 *
 * @module
 */

export { Dial } from "./dial.ts";
export { dialError, refusedByAlert } from "./dial_error.ts";
export { followRedirect, isRedirect, originOf } from "./redirect.ts";
export { SocketWire } from "./socket_wire.ts";
