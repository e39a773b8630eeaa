/**
 * All that makes a connection, as one module that can be loaded when the first one is wanted: what
 * never dials, a page in a browser above all, doesn't carry it.
 *
 * @module
 */

export { Dial } from "./dial.ts";
export { refusedByAlert } from "./dial_error.ts";
export { followRedirect, isRedirect } from "./redirect.ts";
export { SocketWire } from "./socket_wire.ts";
