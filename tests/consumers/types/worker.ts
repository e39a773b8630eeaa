/** A worker's `self`, by the types for pages. */

import { MessagePortChannel } from "web-socket-channel/stream-channel";
export const channel = new MessagePortChannel<string>(self);
