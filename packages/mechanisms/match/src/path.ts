/**
 * The one spelling of a path that policy judges and the origin receives, or `''` when it has to be refused (400
 * `TULLE_PATH_REFUSED`). A path that is clean already comes back as it is, without allocation.
 * @param path from the request target, without query; `*` stays
 */
export declare function normalizePath(path: string): string;
/** Why {@link normalizePath} refused `path`, for details and log; `''` when it does not. */
export declare function explainPathRefusal(path: string): string;
