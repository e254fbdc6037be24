import type { SetField } from './recording.ts';

const NEWER = 'typed_extension_protocol_options["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]';
/** Fields of a cluster in which stood before what stands in {@link NEWER} now. */
const OLDER = /^(?:common_http|http|http2|upstream_http)_protocol_options\./;

/**
 * Whether a field counts for nothing because another way to say it is there, too: Envoy (1.40) looks at none of a cluster's
 * older options of HTTP where the newer ones are, so nobody reads there what would be refused elsewhere. Seen with answers
 * that have a length and chunks (taken with the older option alone, 502 beside the newer ones), with the protocol spoken and
 * the name in TLS.
 * @param path where the field is in the resource
 * @param set everything that is set in the resource
 */
export function isSuperseded(path: string, set: readonly SetField[]): boolean {
  return OLDER.test(path) && set.some((one) => one.path.startsWith(NEWER));
}
