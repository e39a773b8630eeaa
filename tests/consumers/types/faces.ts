/** rxjs and others want the page's own types. */

import { createWebSocket, toWebSocket } from "web-socket-channel/faces";
import type { WebSocketChannel } from "web-socket-channel";
type Wanted = new (url: string, protocols?: string | string[]) => WebSocket;
export const wanted: Wanted = createWebSocket();
export const same: typeof WebSocket = createWebSocket();
export const socket = (channel: WebSocketChannel): WebSocket => toWebSocket(channel);
export const listener = new wanted("ws://127.0.0.1:9");
listener.onerror = (event) => console.log(event.type);
createWebSocket().prototype.onerror = ({ error, message }) => console.log(error, message);
