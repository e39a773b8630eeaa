/**
 * Everything that makes connections, as one module that is loaded for the first connection. Programs that never use it,
 * such as pages in browsers, don't include it.
 *
 * @module
 */

export { Dial } from "./dial.ts";
export { refusedByAlert } from "./dial_error.ts";
export { followRedirect, isRedirect } from "./redirect.ts";
export { SocketWire } from "./socket_wire.ts";
