/**
 * The server of a case of the WebSockets standard, for a page: it runs in the process that serves the page. In a
 * browser's bundle this module replaces tests/faces/subject_server.ts.
 */

import { ask } from "./control.ts";
import type { CloseInfo } from "../../src/web_socket/close_info.ts";
import type { SubjectServer } from "../faces/subject_server.ts";

export type * from "../faces/subject_server.ts";

/** Starts a server in the process that serves the page. */
export async function startSubject(): Promise<SubjectServer> {
  const { server, url } = await ask({ do: "start", name: "echo", options: {} });
  return {
    url,
    channels: [],
    ending: async () => await ask({ do: "next", server, kind: null }) as unknown as CloseInfo,
    close: async () => void await ask({ do: "close", server }),
  };
}
