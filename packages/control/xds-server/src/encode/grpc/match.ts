import { create } from '@bufbuild/protobuf';
import type { RouteMatch as ModelMatch } from '@tulle/model';
import { type RouteMatch, RouteMatchSchema } from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { RegexMatcherSchema } from '@tulle/xds-proto/envoy/type/matcher/v3/regex';
import { encodeHeaderMatch } from '../matchers.ts';
import { share } from '../percent.ts';
import { refuse } from './refuse.ts';

/** @returns `undefined` for one that no call fulfils: calls are POSTs, and have no query */
export function encodeGrpcMatch(match: ModelMatch, path: string): RouteMatch | undefined {
  const { method = 'POST', query = [], headers = [], percent, provenPeer } = match;
  if (method !== 'POST' || query.some(({ invert }) => invert !== true)) return undefined;
  if (provenPeer !== undefined) return refuse(`${path}/provenPeer`, 'a client has no peer that calls it');
  for (const [i, { invert, match: of }] of headers.entries())
    if (invert === true && of.kind !== 'present')
      refuse(`${path}/headers/${i}`, 'whether a field that is absent fulfils it, gRPC is not told');
  return create(RouteMatchSchema, {
    pathSpecifier: pathSpecifier(match, path),
    headers: headers.map(encodeHeaderMatch),
    ...(match.path.ignoreCase === true && { caseSensitive: false }),
    ...(percent !== undefined && { runtimeFraction: { defaultValue: share(percent) } }),
  });
}

function pathSpecifier({ path: { kind, value } }: ModelMatch, path: string): RouteMatch['pathSpecifier'] {
  switch (kind) {
    case 'exact':
      return { case: 'path', value };
    case 'bytes-prefix':
      return { case: 'prefix', value };
    case 'regex':
      return { case: 'safeRegex', value: create(RegexMatcherSchema, { regex: value }) };
    case 'prefix': {
      // gRPC has no prefix of whole elements. A path of a call has two: with one, what is before the slash is whole.
      const trimmed = value.endsWith('/') ? value.slice(0, -1) : value;
      if (trimmed === '' || trimmed.split('/').length === 2) return { case: 'prefix', value: `${trimmed}/` };
      return { case: 'path', value: trimmed };
    }
    case 'template':
    case 'connect':
      return refuse(`${path}/path`, `gRPC has no path of kind ${kind}`);
  }
}
