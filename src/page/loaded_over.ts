/**
 * The module that a page loads at the first call of `over` or `connectOver`. It includes everything at once, so that
 * bundlers create one chunk: two chunks compress worse.
 *
 * @module
 */

export { NativeWebSocketChannel } from "./native_web_socket_channel.ts";
export { openLate, speakLate } from "../web_socket/loaded_over.ts";
