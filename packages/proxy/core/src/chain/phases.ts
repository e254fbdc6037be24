/** Phases of head hooks. */
export const BEFORE_ROUTE = 0;
export const REQUEST_HEADERS = 1;
export const REQUEST_TRAILERS = 2;
export const RESPONSE_HEADERS = 3;
export const RESPONSE_TRAILERS = 4;
export const ATTEMPT_HEADERS = 5;
export type HeadPhase =
  | typeof BEFORE_ROUTE
  | typeof REQUEST_HEADERS
  | typeof REQUEST_TRAILERS
  | typeof RESPONSE_HEADERS
  | typeof RESPONSE_TRAILERS
  | typeof ATTEMPT_HEADERS;
