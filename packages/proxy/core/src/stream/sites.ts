/**
 * Where decisions are made, and what their notes say (decision D10). A note is a triple (site, reason, operand). Sites
 * of filters are their slots, 0 and more, with codes of their own; those of the engine are below 0. Numbers are kept in
 * records, so one that was given is not given to something else.
 */

/** An answer was given here; reason is the error row's (0: none), operand the status. */
export const SITE_REPLY = -1;
/** A route was looked for; reason is its index (-1: none), operand the chosen share of its split (-1: none). */
export const SITE_ROUTE = -2;
/** An attempt ended; reason is the error row's (0: answered), operand the status. */
export const SITE_ATTEMPT = -3;
/** A retry was refused; reason is an index of {@link RETRY_REFUSALS}, operand the attempt's number. */
export const SITE_RETRY_REFUSED = -4;
/** The head was cleaned, which is noted only where it was; reason is a sum of `HYGIENE_…`, operand 0. */
export const SITE_HYGIENE = -5;
/** A phase of filters; reason is `phase * 4 +` one of `RAN_…`, operand the slot that ran last. */
export const SITE_PHASE = -6;
/** A filter asked for another route; reason is its slot. */
export const SITE_REMATCH = -7;
/** A hook threw; reason is its slot, operand 1 where the request went on without it (fail-open). */
export const SITE_FILTER_FAILED = -8;
/** A body hook ended the stream; reason is its slot, operand 1 for the response's body. */
export const SITE_BODY_STOPPED = -9;
/** A cluster took the request not; reason is one of `CLUSTER_…`. Where it did, an endpoint is chosen. */
export const SITE_CLUSTER = -10;
/** An endpoint was chosen, or none; noted only where not all could be; reason is how many were left out as tried, operand {@link countsOf} the set. */
export const SITE_ENDPOINT = -11;
/** A retry was granted; reason is the number of the attempt before it, operand its delay in ms. */
export const SITE_RETRY = -12;
/** A kept-alive connection turned out to be closed: once more without any policy; reason is the attempt's number. */
export const SITE_STALE = -13;
/** The response broke after its head; reason is the error row's. */
export const SITE_BROKEN = -14;
/** Dry run: a filter was not called; reason is its slot, operand 1 for effects `local`, 2 for `external`. */
export const SITE_WOULD_CALL = -15;
/** A gRPC call has a deadline; reason is 1 where the route made it shorter than the caller's, operand its ms. */
export const SITE_DEADLINE = -17;
/** How a gRPC call was answered: reason is the gRPC status; operand the HTTP status that it was made of, 0 for the endpoint's own. */
export const SITE_GRPC_STATUS = -18;

/** Refused since the proxy sheds load; reason is an index of `OVERLOAD_RESOURCES`, operand its pressure in percent. */
export const SITE_OVERLOAD = -16;

/** It waits for what is looked for; reason is 0 for a virtual host, 1 for a cluster. */
export const SITE_DEMAND = -19;

/** The endpoint's answer led elsewhere; reason is an index of {@link REDIRECT_REFUSALS}, operand its status. */
export const SITE_REDIRECT = -20;

/** Why an answer that leads elsewhere was not followed; `''`: it was. */
export const REDIRECT_REFUSALS = [
  '',
  'request-not-whole',
  'body-not-kept',
  'location',
  'scheme',
  'limit',
  'no-route',
  'route',
] as const;
export type RedirectRefusal = (typeof REDIRECT_REFUSALS)[number];

export const RETRY_REFUSALS = ['', 'budget', 'limit', 'unsafe', 'replay', 'timeout', 'closed'] as const;
export type RetryRefusal = (typeof RETRY_REFUSALS)[number];

/** `x-request-id` was made here: there was none, or one that is not believed. */
export const HYGIENE_ID_MADE = 1;
/** The peer is a trusted forwarder: its claims stayed. */
export const HYGIENE_PEER_TRUSTED = 2;
/** Claims of identity were removed. */
export const HYGIENE_CLAIMS_REMOVED = 4;
/** The listener keeps claims of identity. */
export const HYGIENE_CLAIMS_KEPT = 8;
/** The path was brought to its one spelling. */
export const HYGIENE_PATH_NORMALIZED = 16;
/** The caller's address is nowhere where it has to be. */
export const HYGIENE_CALLER_UNKNOWN = 32;

export const RAN_ALL = 0;
export const RAN_STOPPED = 1;
/** A hook's promise is pending; the phase goes on in a note of its own. */
export const RAN_WAITING = 2;

export const CLUSTER_ABSENT = 1;
/** `maxRequests` are under way. */
export const CLUSTER_FULL = 2;
/** It was among those that the control plane has refused. */
export const CLUSTER_DROPS = 3;

const COUNT_BITS = 15;
const MOST = (1 << COUNT_BITS) - 1;

/** How many of a cluster's endpoints may be picked, and how many there are, in one number; each at most 32,767. */
export function countsOf(usable: number, total: number): number {
  return (usable < MOST ? usable : MOST) | ((total < MOST ? total : MOST) << COUNT_BITS);
}

/** @returns the two numbers of {@link countsOf} */
export function readCounts(counts: number): { readonly usable: number; readonly total: number } {
  return { usable: counts & MOST, total: (counts >> COUNT_BITS) & MOST };
}
