/** The request or response goes on to the next filter. */
export const CONTINUE = 0 as const;
/**
 * This phase ends here for this stream: a reply was given ({@link HttpStream.reply}) or the connection is being
 * closed. STOP without a reply is a defect of the filter: the engine answers 500 `TULLE_FILTER_FAILED` and counts it.
 * There is no silent pause; to wait, return a promise (decision D23).
 */
export const STOP = 1 as const;
/** What a hook decides. */
export type Verdict = typeof CONTINUE | typeof STOP;
/**
 * A verdict, or a promise of one. Return the plain verdict whenever you can: the engine awaits only a thenable
 * (eight synchronous hooks cost 0.6 µs a request, promise-typed ones 18 µs). While a promise is pending the engine
 * stops reading that direction. Bytes handed to a hook that returns a promise are a private copy (decision D1).
 */
export type HookResult = Verdict | Promise<Verdict>;

/** The outcome of this attempt goes to the caller. */
export const DELIVER = 0 as const;
/** Ask the engine's retry loop for another attempt. It may refuse: budget, unsafe request, body past the replay cap, timeout. */
export const RETRY = 1 as const;
/** What {@link HttpHooks.attemptEnd} decides. Always synchronous: the loop waits for nobody. */
export type AttemptVerdict = typeof DELIVER | typeof RETRY;
