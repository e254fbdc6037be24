import type { Headers, HttpStream } from '@tulle/filter';

/** Decides by a media type, without parameters, lower case. */
export type TypeTest = (type: string) => boolean;

/** Compiles media types: exact, `type/*`, and `*+suffix` (RFC 6839). */
export function compileTypes(types: readonly string[]): TypeTest {
  const exact = new Set<string>();
  const starts: string[] = [];
  const ends: string[] = [];
  for (const type of types.map((one) => one.toLowerCase())) {
    if (type.endsWith('/*')) starts.push(type.slice(0, -1));
    else if (type.startsWith('*+')) ends.push(type.slice(1));
    else exact.add(type);
  }
  return (type) =>
    exact.has(type) ||
    starts.some((start) => type.startsWith(start)) ||
    ends.some((end) => type.endsWith(end));
}

/** Which responses are compressed. */
export interface Eligibility {
  readonly isWanted: TypeTest;
  readonly minBytes: number;
  readonly skipEtag: boolean;
  readonly skipStatuses: ReadonlySet<number>;
}

/** Why a response is compressed for nobody; Envoy's words where it has one, in the order in which it looks. */
export type Unfit =
  | 'ContentLengthTooSmall'
  | 'ContentTypeNotAllowed'
  | 'EtagNotAllowed'
  | 'StatusCodeNotAllowed'
  | 'fixed';

/** @returns `undefined` where a response could be compressed for somebody: what a cache must know, whoever asks now. */
export function whyUnfit(
  stream: HttpStream,
  { isWanted, minBytes, skipEtag, skipStatuses }: Eligibility,
): Unfit | undefined {
  const { status, headers, bodyLength } = stream.response;
  // No body, or a part of one: ranges count octets of the representation as it is (RFC 9110 §14.4).
  if (status === 204 || status === 205 || status === 206 || status === 304) return 'fixed';
  if (headers.has('content-encoding') || headers.has('content-range')) return 'fixed';
  if (saysNoTransform(headers) || saysNoTransform(stream.request.headers)) return 'fixed';
  if (bodyLength !== undefined && bodyLength < minBytes) return 'ContentLengthTooSmall';
  const [type = ''] = (headers.get('content-type') ?? '').split(';');
  if (!isWanted(type.trim().toLowerCase())) return 'ContentTypeNotAllowed';
  if (skipEtag && headers.has('etag')) return 'EtagNotAllowed';
  return skipStatuses.has(status) ? 'StatusCodeNotAllowed' : undefined;
}

/** Whether a request's body is to be compressed. */
export function isEligibleRequest({ request }: HttpStream, isWanted: TypeTest, minBytes: number): boolean {
  const { headers } = request;
  if (!request.hasBody || headers.has('content-encoding') || headers.has('content-range')) return false;
  const [type = ''] = (headers.get('content-type') ?? '').split(';');
  if (!isWanted(type.trim().toLowerCase()) || saysNoTransform(headers)) return false;
  const { bodyLength } = request;
  return bodyLength === undefined || bodyLength >= minBytes;
}

/** RFC 9111 §5.2.1.6, §5.2.2.6 */
function saysNoTransform(headers: Headers): boolean {
  for (let index = 0; index < headers.length; index += 1) {
    if (headers.name(index) !== 'cache-control') continue;
    if (/(?:^|[\s,])no-transform(?:$|[\s,;=])/i.test(headers.value(index))) return true;
  }
  return false;
}

/**
 * Whether a foreign page made this request with the caller's credentials. The length of a compressed answer then tells that page
 * whether what it put into the request stands in the answer as well (BREACH); browsers say so since Fetch Metadata.
 */
export function isProbe({ request: { headers } }: HttpStream): boolean {
  return (
    headers.get('sec-fetch-site')?.toLowerCase() === 'cross-site' &&
    (headers.has('cookie') || headers.has('authorization'))
  );
}

/** A cache must not give a coding to who does not take it. */
export function varyByCoding({ response: { headers } }: HttpStream): void {
  for (let index = 0; index < headers.length; index += 1) {
    if (headers.name(index) !== 'vary') continue;
    for (const part of headers.value(index).split(',')) {
      const name = part.trim().toLowerCase();
      if (name === '*' || name === 'accept-encoding') return;
    }
  }
  headers.append('vary', 'Accept-Encoding');
}
