import { WebSocketChannel } from "../src/platform_web_socket_channel.ts";
import { testPageEntry } from "./support/page_entries.ts";

testPageEntry("the platform's WebSocketChannel", WebSocketChannel);
