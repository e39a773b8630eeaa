/** Cross-platform WebSocket channels. @module */
export * as status from "./status.ts";
