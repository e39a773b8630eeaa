/**
 * What a page loads when `over` or `connectOver` is first called. It has all of what the page has at once, so
 * that bundlers make one chunk of that: two compress worse.
 *
 * @module
 */

export { NativeWebSocketChannel } from "./native_web_socket_channel.ts";
export { openLate, speakLate } from "../web_socket/loaded_over.ts";
