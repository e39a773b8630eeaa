/** All went as it should. */
export const DONE = 0;
/** The connection was lost or closed with an error, pings went unanswered, or a case has failed. */
export const FAILED = 1;
/** The command line was wrong: an unknown option, a malformed URL, a file that can't be read or written. */
export const USAGE = 2;
/** The server can't be reached or refuses, or the port can't be listened at. */
export const UNREACHABLE = 3;
/** A second Ctrl-C: ended at once. */
export const INTERRUPTED = 130;
