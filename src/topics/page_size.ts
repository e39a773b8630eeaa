/** How many messages a page of history has at most. */
export const PAGE = 256;
/** How many bytes of messages a page has before it ends. */
export const PAGE_BYTES: number = 1024 * 1024;
