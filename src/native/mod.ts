/** Channels over the platform's own WebSocket. @module */
export {};
