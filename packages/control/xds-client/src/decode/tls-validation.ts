import type { StringMatch, SubjectAltNameMatch, TlsParameters, TrustSource } from '@tulle/model';
import {
  type CertificateValidationContext,
  CertificateValidationContext_TrustChainVerification as ChainVerification,
  type SubjectAltNameMatcher,
  SubjectAltNameMatcher_SanType as SanType,
} from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/common';
import type { SdsSecretConfig } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/secret';
import type { CommonTlsContext } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/tls';
import { MESH_ROOTS_SECRET } from '../wire.ts';
import { checkSource } from './config-source.ts';
import type { DecodeContext } from './context.ts';
import { decodeText } from './data-source.ts';
import { decodeStringMatch } from './matchers.ts';
import { filled, present } from './values.ts';

/** Who is believed. */
export interface Validation extends Pick<
  TlsParameters,
  'subjectAltNames' | 'certificateHashes' | 'publicKeyHashes'
> {
  readonly trust?: TrustSource;
  readonly allowedIds?: readonly string[];
  /** Roots, and no word about names. */
  readonly anyName?: boolean;
  /** Roots that need not be the peer's. */
  readonly anyChain?: boolean;
}

export function decodeValidation(
  context: DecodeContext,
  { validationContextType: validation }: CommonTlsContext,
  path: string,
): Validation {
  switch (validation.case) {
    case 'validationContext': {
      const here = `${path}.validation_context`;
      const given = validation.value;
      return decodeExpected(context, given, decodeRoots(context, given, here), here);
    }
    case 'validationContextSdsSecretConfig':
      return { trust: meshRoots(context, validation.value, `${path}.validation_context_sds_secret_config`) };
    case 'combinedValidationContext': {
      const here = `${path}.combined_validation_context`;
      const { defaultValidationContext: given, validationContextSdsSecretConfig: secret } = validation.value;
      const trust = meshRoots(context, secret, `${here}.validation_context_sds_secret_config`);
      if (given?.trustedCa || given?.systemRootCerts || given?.crl)
        context.refuse(
          `${here}.default_validation_context`,
          'must not name roots or a crl beside those of the secret',
        );
      return given ? decodeExpected(context, given, trust, `${here}.default_validation_context`) : { trust };
    }
    default:
      return {};
  }
}

function decodeExpected(
  context: DecodeContext,
  given: CertificateValidationContext,
  trust: TrustSource | undefined,
  path: string,
): Validation {
  const { matchTypedSubjectAltNames: typed, matchSubjectAltNames: untyped } = given;
  const hashes = filled(given.verifyCertificateHash.map((hash) => hash.replaceAll(':', '').toLowerCase()));
  for (const [index, hash] of (hashes ?? []).entries())
    if (!/^[0-9a-f]{64}$/.test(hash))
      context.refuse(
        `${path}.verify_certificate_hash[${index}]`,
        'must be 64 hexadecimal digits, with or without colons between pairs',
      );
  const keys = filled(given.verifyCertificateSpki);
  for (const [index, key] of (keys ?? []).entries())
    if (!/^[A-Za-z0-9+/]{43}=$/.test(key))
      context.refuse(`${path}.verify_certificate_spki[${index}]`, 'must be base64 of 32 bytes');
  if (trust === undefined && typed.length + untyped.length > 0)
    context.refuse(path, 'must name roots beside names: without them anybody could say any name');
  const names = decodeNames(context, typed, untyped, trust?.kind === 'mesh', path);
  const anyChain = given.trustChainVerification === ChainVerification.ACCEPT_UNTRUSTED;
  const expectsSome = (names.allowedIds ?? names.subjectAltNames ?? hashes ?? keys) !== undefined;
  if (anyChain && (trust === undefined || trust.kind === 'mesh' || expectsSome))
    context.refuse(
      `${path}.trust_chain_verification`,
      'must be VERIFY_TRUST_CHAIN: whom nobody vouches for could say any name',
    );
  return present({
    trust,
    certificateHashes: hashes,
    publicKeyHashes: keys,
    ...names,
    anyName: expectsSome ? undefined : true,
    anyChain: anyChain ? true : undefined,
  });
}

function decodeRoots(
  context: DecodeContext,
  validation: CertificateValidationContext,
  path: string,
): TrustSource | undefined {
  const { trustedCa, systemRootCerts, crl } = validation;
  if (trustedCa && systemRootCerts) context.refuse(path, 'must name either trusted_ca or system_root_certs');
  if (crl && !trustedCa) context.refuse(`${path}.crl`, 'needs a trusted_ca');
  if (systemRootCerts) return { kind: 'system' };
  const roots = decodeText(context, trustedCa, `${path}.trusted_ca`);
  if (roots === undefined) return undefined;
  const list = decodeText(context, crl, `${path}.crl`);
  const revoked = list && { crl: 'file' in list ? list : { pem: list.text } };
  return 'file' in roots
    ? { kind: 'files', caFile: roots.file, ...revoked }
    : { kind: 'inline', caPem: roots.text, ...revoked };
}

function meshRoots(context: DecodeContext, secret: SdsSecretConfig | undefined, path: string): TrustSource {
  if (secret?.name !== MESH_ROOTS_SECRET)
    context.refuse(
      `${path}.name`,
      `must be "${MESH_ROOTS_SECRET}", the mesh's roots, but is "${secret?.name ?? ''}"`,
    );
  checkSource(context, secret?.sdsConfig, `${path}.sds_config`);
  return { kind: 'mesh' };
}

const TYPES: { readonly [T in SanType]?: SubjectAltNameMatch['type'] } = {
  [SanType.EMAIL]: 'email',
  [SanType.DNS]: 'dns',
  [SanType.URI]: 'uri',
  [SanType.IP_ADDRESS]: 'ip',
};

function decodeNames(
  context: DecodeContext,
  typed: readonly SubjectAltNameMatcher[],
  untyped: CertificateValidationContext['matchSubjectAltNames'],
  mesh: boolean,
  path: string,
): Pick<Validation, 'allowedIds' | 'subjectAltNames'> {
  if (typed.length + untyped.length === 0) return {};
  const names: SubjectAltNameMatch[] = [];
  for (const [index, { sanType, matcher }] of typed.entries()) {
    const here = `${path}.match_typed_subject_alt_names[${index}]`;
    const type = TYPES[sanType];
    const match = decodeStringMatch(context, matcher, `${here}.matcher`);
    if (type === undefined) context.refuse(`${here}.san_type`, 'must be DNS, URI, EMAIL or IP_ADDRESS');
    else if (mesh && idOf({ type, match }) === undefined)
      context.refuse(
        here,
        'must be a URI, exact or by a prefix that ends in a slash: in the mesh peers are told apart by SPIFFE id',
      );
    else names.push({ type, match });
  }
  for (const [index, matcher] of untyped.entries()) {
    const here = `${path}.match_subject_alt_names[${index}]`;
    const match = decodeStringMatch(context, matcher, here);
    if (mesh) context.refuse(here, 'has no type; in the mesh give match_typed_subject_alt_names of type URI');
    for (const type of ['dns', 'uri', 'email', 'ip'] as const) names.push({ type, match });
  }
  const ids = names.map(idOf);
  return ids.every((id) => id !== undefined)
    ? { allowedIds: ids.filter((id) => id !== '') }
    : { subjectAltNames: names };
}

/** A SPIFFE id as Tulle says it. An exact match of the empty string, which no certificate has, says that nobody is allowed. */
function idOf({ type, match }: SubjectAltNameMatch): string | undefined {
  if (type !== 'uri' || match.kind === 'present' || match.ignoreCase === true) return undefined;
  const { kind, value }: Exclude<StringMatch, { readonly kind: 'present' }> = match;
  if (kind === 'exact' && (value === '' || value.startsWith('spiffe://'))) return value;
  return kind === 'prefix' && value.startsWith('spiffe://') && value.endsWith('/') ? `${value}*` : undefined;
}
