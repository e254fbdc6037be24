let last = 0;

/** The number of the next connection, the caller's or an endpoint's: unique in the process, from 1 on. */
export const connectionNumber = (): number => ++last;
