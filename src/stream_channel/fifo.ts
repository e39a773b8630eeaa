/** A queue whose size nobody reads: nothing in it is counted. */
export { CountedQueue as Fifo } from "./counted_queue.ts";
