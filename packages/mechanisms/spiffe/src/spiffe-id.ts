/** Longest SPIFFE ID in bytes that every implementation must take (SPIFFE-ID §2.3). Longer ones are refused. */
export const maxSpiffeIdBytes = 2048;
/** Longest trust domain name in bytes (SPIFFE-ID §2.1). */
export const maxTrustDomainBytes = 255;

const scheme = 'spiffe://';
const trustDomainPattern = /^[a-z0-9._-]+$/;
const segmentPattern = /^[A-Za-z0-9._-]+$/;

/** A parsed SPIFFE ID. `text` is the canonical form: two ids are the same identity when their texts are equal. */
export interface SpiffeId {
  readonly text: string;
  readonly trustDomain: string;
  /** Empty for a trust domain's own id, otherwise begins with `/`. */
  readonly path: string;
}

/** What a Tulle workload is called: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`. */
export interface WorkloadName {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** Thrown for a string that is not a SPIFFE ID; the message names the string and the rule it breaks. */
export class SpiffeIdError extends Error {
  readonly code = 'TULLE_SPIFFE_BAD_ID';
  constructor(message: string) {
    super(message);
    this.name = 'SpiffeIdError';
  }
}

/** Why `name` is not a trust domain name (SPIFFE-ID §2.1), or undefined when it is one. */
export function trustDomainFault(name: string): string | undefined {
  if (name === '') return 'the trust domain is empty';
  if (name.length > maxTrustDomainBytes)
    return `the trust domain is longer than ${maxTrustDomainBytes} bytes`;
  if (!trustDomainPattern.test(name))
    return 'a trust domain has only lower-case letters, digits, dots, dashes and underscores (no port, no user info, no percent-encoding)';
  return undefined;
}

/** Why `segment` may not stand between two slashes of a SPIFFE ID's path (§2.2), or undefined when it may. */
export function pathSegmentFault(segment: string): string | undefined {
  if (segment === '') return 'a path has no empty segments and does not end in a slash';
  if (segment === '.' || segment === '..') return 'a path has no "." or ".." segments';
  if (!segmentPattern.test(segment))
    return 'a path segment has only letters, digits, dots, dashes and underscores (no query, no fragment, no percent-encoding)';
  return undefined;
}

/** Why `text` is not a SPIFFE ID, or undefined when it is one. Never throws, whatever the text. */
export function spiffeIdFault(text: string): string | undefined {
  if (text.length > maxSpiffeIdBytes) return `it is longer than ${maxSpiffeIdBytes} bytes`;
  if (!text.startsWith(scheme)) return 'it does not begin with "spiffe://"';
  const slash = text.indexOf('/', scheme.length);
  const trustDomain = slash < 0 ? text.slice(scheme.length) : text.slice(scheme.length, slash);
  const fault = trustDomainFault(trustDomain);
  if (fault !== undefined) return fault;
  if (slash < 0) return undefined;
  for (const segment of text.slice(slash + 1).split('/')) {
    const segmentFault = pathSegmentFault(segment);
    if (segmentFault !== undefined) return segmentFault;
  }
  return undefined;
}

/**
 * Parses a SPIFFE ID strictly by the SPIFFE-ID specification.
 * @throws {SpiffeIdError} naming the rule that the text breaks.
 */
export function parseSpiffeId(text: string): SpiffeId {
  const fault = spiffeIdFault(text);
  if (fault !== undefined)
    throw new SpiffeIdError(`${JSON.stringify(text.slice(0, 200))} is not a SPIFFE ID: ${fault}`);
  const slash = text.indexOf('/', scheme.length);
  return slash < 0
    ? { text, trustDomain: text.slice(scheme.length), path: '' }
    : { text, trustDomain: text.slice(scheme.length, slash), path: text.slice(slash) };
}

/**
 * The id of a workload.
 * @throws {SpiffeIdError} when a part is not allowed in a SPIFFE ID.
 */
export function workloadId(name: WorkloadName): string {
  const parts: ReadonlyArray<readonly [string, string, string | undefined]> = [
    ['trust domain', name.trustDomain, trustDomainFault(name.trustDomain)],
    ['namespace', name.namespace, pathSegmentFault(name.namespace)],
    ['service account', name.serviceAccount, pathSegmentFault(name.serviceAccount)],
  ];
  for (const [what, value, fault] of parts) {
    if (fault !== undefined)
      throw new SpiffeIdError(`${what} ${JSON.stringify(value)} cannot be part of a SPIFFE ID: ${fault}`);
  }
  return parseSpiffeId(`${scheme}${name.trustDomain}/ns/${name.namespace}/sa/${name.serviceAccount}`).text;
}

/** The workload an id names, or undefined when it is no SPIFFE ID of the form `/ns/<namespace>/sa/<service account>`. */
export function workloadOf(text: string): WorkloadName | undefined {
  if (spiffeIdFault(text) !== undefined) return undefined;
  const { trustDomain, path } = parseSpiffeId(text);
  const [, ns, namespace, sa, serviceAccount, ...rest] = path.split('/');
  if (
    ns !== 'ns' ||
    sa !== 'sa' ||
    rest.length > 0 ||
    namespace === undefined ||
    serviceAccount === undefined
  )
    return undefined;
  return { trustDomain, namespace, serviceAccount };
}

/**
 * The id that a mesh's control plane (CA and xDS server) proves to its clients:
 * `spiffe://<trust domain>/ns/tulle-system/sa/control-plane`. Clients accept no other, so no workload can pose as it.
 */
export function controlPlaneId(trustDomain: string): string {
  return workloadId({ trustDomain, namespace: 'tulle-system', serviceAccount: 'control-plane' });
}

/** Whether an id is the pattern, or below it when the pattern ends in `/*`, as in `spiffe://example.org/ns/shop/*`. */
export function spiffeIdMatches(id: string, pattern: string): boolean {
  return pattern.endsWith('/*') ? id.startsWith(pattern.slice(0, -1)) : id === pattern;
}
