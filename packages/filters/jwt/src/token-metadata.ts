import type { MetadataValues } from '@tulle/filter';
import type { JwtMetadata } from '@tulle/model';
import { claimOf } from './claims.ts';

/** Namespace in which conditions written for Envoy look for tokens. */
export const JWT_METADATA = 'envoy.filters.http.jwt_authn';

/** What a verified token is known by there. @returns `undefined` where it is known by nothing */
export function tokenMetadata(
  names: JwtMetadata | undefined,
  claims: MetadataValues,
  header: MetadataValues,
): MetadataValues | undefined {
  if (names?.payload === undefined && names?.header === undefined) return undefined;
  const { payload, wordLists = [] } = names;
  const lists = wordLists.flatMap((name) => {
    const text = claimOf(claims, name);
    return typeof text === 'string' ? [[name, text.split(' ').filter((word) => word !== '')] as const] : [];
  });
  return Object.freeze({
    ...(names.header !== undefined && { [names.header]: header }),
    ...(payload !== undefined && { [payload]: { ...claims, ...Object.fromEntries(lists) } }),
  });
}
