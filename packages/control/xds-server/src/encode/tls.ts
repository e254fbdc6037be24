import { refuseNotSentOfTls } from './not-sent.ts';
import { Buffer } from 'node:buffer';
import { isIP } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type {
  CertificateSource,
  DownstreamTls,
  PemSource,
  SubjectAltNameMatch,
  TicketKey,
  TlsParameters,
  TrustSource,
  UpstreamTls,
} from '@tulle/model';
import {
  DataSourceSchema,
  type TransportSocket,
  TransportSocketSchema,
} from '@tulle/xds-proto/envoy/config/core/v3/base';
import { RawBufferSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer';
import {
  type CertificateValidationContext,
  CertificateValidationContext_TrustChainVerification as ChainVerification,
  CertificateValidationContext_SystemRootCertsSchema as SystemRootCertsSchema,
  CertificateValidationContextSchema,
  type SubjectAltNameMatcher,
  SubjectAltNameMatcher_SanType as SanType,
  SubjectAltNameMatcherSchema,
  TlsParameters_TlsProtocol as TlsProtocol,
} from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/common';
import {
  type SdsSecretConfig,
  SdsSecretConfigSchema,
} from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/secret';
import {
  type CommonTlsContext,
  CommonTlsContext_CombinedCertificateValidationContextSchema as CombinedSchema,
  CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/tls';
import { MESH_ROOTS_SECRET, WORKLOAD_SECRET } from '../wire.ts';
import { adsSource, clusterSource } from './config-source.ts';
import type { EncodeForm } from './form.ts';
import { localOnly } from './local-only.ts';
import { encodeStringMatch } from './matchers.ts';
import { duration, type Fields } from './values.ts';

export function encodeDownstreamTls(tls: DownstreamTls, form: EncodeForm): TransportSocket {
  const asked = tls.clientCertificate ?? (tls.trust === undefined ? 'none' : 'require');
  const commonTlsContext = commonContext(tls, asked === 'none' ? undefined : tls.trust, form);
  const { validationContextType: validated } = commonTlsContext;
  if (asked === 'any' && validated.case === 'validationContext')
    validated.value.trustChainVerification = ChainVerification.ACCEPT_UNTRUSTED;
  const context = create(DownstreamTlsContextSchema, {
    commonTlsContext,
    requireClientCertificate: asked === 'require',
    ...(tls.requireServerName === true && { requireSni: true }),
    preferClientCiphers: tls.preferClientCiphers ?? false,
    ...(tls.sessionTicketKey && {
      sessionTicketKeysType: {
        case: 'sessionTicketKeys',
        value: { keys: [ticketKey(tls.sessionTicketKey)] },
      } as const,
    }),
    ...(tls.sessionTimeoutMs !== undefined && { sessionTimeout: duration(tls.sessionTimeoutMs) }),
    ...(tls.sessionTickets === false && {
      sessionTicketKeysType: { case: 'disableStatelessSessionResumption', value: true } as const,
    }),
  });
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.tls',
    configType: { case: 'typedConfig', value: anyPack(DownstreamTlsContextSchema, context) },
  });
}

export function encodeUpstreamTls(tls: UpstreamTls, form: EncodeForm): TransportSocket {
  const commonTlsContext = commonContext(tls, tls.trust, form);
  refuseNotSentOfTls(tls);
  // One of the release before compares the name by itself, and knows no other names than ids.
  if (form.release !== 'before') expectName(commonTlsContext, tls);
  const context = create(UpstreamTlsContextSchema, {
    commonTlsContext,
    ...(tls.serverName === undefined ? {} : { sni: tls.serverName }),
    ...(tls.sessionResumption === false ? { maxSessionKeys: 0 } : {}),
  });
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.tls',
    configType: { case: 'typedConfig', value: anyPack(UpstreamTlsContextSchema, context) },
  });
}

/** Plain text. */
export function rawBuffer(): TransportSocket {
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.raw_buffer',
    configType: { case: 'typedConfig', value: anyPack(RawBufferSchema, create(RawBufferSchema)) },
  });
}

function commonContext(
  tls: UpstreamTls | DownstreamTls,
  trust: TrustSource | undefined,
  form: EncodeForm,
): CommonTlsContext {
  const certificates = 'moreCertificates' in tls ? (tls.moreCertificates ?? []) : [];
  return create(CommonTlsContextSchema, {
    // Written out, because Envoy's own lowest version is 1.2.
    tlsParams: {
      tlsMinimumProtocolVersion: tls.minVersion === 'TLSv1.2' ? TlsProtocol.TLSv1_2 : TlsProtocol.TLSv1_3,
      tlsMaximumProtocolVersion: tls.maxVersion === 'TLSv1.2' ? TlsProtocol.TLSv1_2 : TlsProtocol.TLSv1_3,
      cipherSuites: [...(tls.cipherSuites ?? [])],
      ecdhCurves: [...(tls.curves ?? [])],
      signatureAlgorithms: [...(tls.signatureAlgorithms ?? [])],
    },
    ...certificate(tls.certificate, certificates, form),
    validationContextType: validation(trust, tls, form),
    alpnProtocols: [...(tls.alpn ?? [])],
  });
}

function certificate(
  source: CertificateSource | undefined,
  more: readonly CertificateSource[],
  form: EncodeForm,
): Fields<typeof CommonTlsContextSchema> {
  if (source === undefined) return {};
  if (source.kind === 'workload') {
    localOnly(source.identity, 'certificate.identity');
    const own = form.workloadCertificate;
    switch (own.kind) {
      case 'own':
        return { tlsCertificateSdsSecretConfigs: [secret(WORKLOAD_SECRET)] };
      case 'sds':
        return {
          tlsCertificateSdsSecretConfigs: [{ name: WORKLOAD_SECRET, sdsConfig: clusterSource(own.cluster) }],
        };
      case 'files':
        return certificate(own, more, form);
      case 'provider': // gRPC's alone
      case 'none':
        return {};
    }
  }
  return { tlsCertificates: [source, ...more].flatMap(given) };
}

function ticketKey(key: TicketKey): Fields<typeof DataSourceSchema> {
  return 'file' in key
    ? file(key.file)
    : { specifier: { case: 'inlineBytes', value: Buffer.from(key.keyBase64, 'base64') } };
}

function password({ keyPassword: given }: Exclude<CertificateSource, { readonly kind: 'workload' }>): {
  password?: SourceInit;
} {
  if (given === undefined) return {};
  return { password: 'file' in given ? file(given.file) : inline(given.password) };
}

function given(
  source: CertificateSource,
): { certificateChain: SourceInit; privateKey: SourceInit; password?: SourceInit }[] {
  switch (source.kind) {
    case 'files':
      return [
        {
          certificateChain: file(source.certificateFile),
          privateKey: file(source.keyFile),
          ...password(source),
        },
      ];
    case 'inline':
      return [
        {
          certificateChain: inline(source.certificatePem),
          privateKey: inline(source.keyPem),
          ...password(source),
        },
      ];
    case 'workload': // none of several, says the model
      return [];
  }
}

function validation(
  trust: TrustSource | undefined,
  tls: TlsParameters & Pick<UpstreamTls, 'allowedIds'>,
  { workloadCertificate: own }: EncodeForm,
): CommonTlsContext['validationContextType'] {
  // Without roots names say nothing; nor do they where nobody is asked.
  if (trust === undefined) return { case: undefined };
  const { allowedIds: ids, subjectAltNames = [], certificateHashes = [], publicKeyHashes = [] } = tls;
  const matchTypedSubjectAltNames = [...allowedIds(ids), ...subjectAltNames.map(nameMatcher)];
  if (trust.kind === 'mesh') {
    return {
      case: 'combinedValidationContext',
      value: create(CombinedSchema, {
        defaultValidationContext: { matchTypedSubjectAltNames },
        validationContextSdsSecretConfig:
          own.kind === 'sds' && own.roots
            ? { name: MESH_ROOTS_SECRET, sdsConfig: clusterSource(own.cluster) }
            : secret(MESH_ROOTS_SECRET),
      }),
    };
  }
  const expected = matchTypedSubjectAltNames.length + certificateHashes.length + publicKeyHashes.length;
  if (trust.kind === 'none' && expected === 0) return { case: undefined };
  const value: CertificateValidationContext = create(CertificateValidationContextSchema, {
    matchTypedSubjectAltNames,
    verifyCertificateHash: [...certificateHashes],
    verifyCertificateSpki: [...publicKeyHashes],
  });
  if (trust.kind === 'files') value.trustedCa = create(DataSourceSchema, file(trust.caFile));
  if (trust.kind === 'inline') value.trustedCa = create(DataSourceSchema, inline(trust.caPem));
  if (trust.kind === 'system') value.systemRootCerts = create(SystemRootCertsSchema);
  const crl = 'crl' in trust ? trust.crl : undefined;
  if (crl !== undefined) value.crl = create(DataSourceSchema, pem(crl));
  return { case: 'validationContext', value };
}

/**
 * Tulle's data plane compares the name in a certificate with the one that it asked for wherever no ids are expected. Other
 * clients would take any certificate of a CA that they believe, so they are told the name; where there is none, nobody is
 * believed.
 */
function expectName(
  { validationContextType: { case: kind, value } }: CommonTlsContext,
  tls: UpstreamTls,
): void {
  if (kind !== 'validationContext' || tls.verifyName === false || tls.trust.kind === 'none') return;
  if ((tls.allowedIds ?? tls.subjectAltNames ?? tls.certificateHashes ?? tls.publicKeyHashes) !== undefined)
    return;
  const name = tls.serverName ?? '';
  value.matchTypedSubjectAltNames = [
    create(SubjectAltNameMatcherSchema, {
      sanType: isIP(name) === 0 ? SanType.DNS : SanType.IP_ADDRESS,
      matcher: { matchPattern: { case: 'exact', value: name } },
    }),
  ];
}

/** An empty list means nobody: a matcher that no name satisfies. */
function allowedIds(ids: readonly string[] | undefined): SubjectAltNameMatcher[] {
  if (ids === undefined) return [];
  const patterns = ids.length === 0 ? [{ case: 'exact', value: '' } as const] : ids.map(idPattern);
  return patterns.map((matchPattern) =>
    create(SubjectAltNameMatcherSchema, { sanType: SanType.URI, matcher: { matchPattern } }),
  );
}

function idPattern(id: string): { case: 'exact' | 'prefix'; value: string } {
  return id.endsWith('/*') ? { case: 'prefix', value: id.slice(0, -1) } : { case: 'exact', value: id };
}

function secret(name: string): SdsSecretConfig {
  return create(SdsSecretConfigSchema, { name, sdsConfig: adsSource() });
}

const SAN_TYPES = {
  dns: SanType.DNS,
  uri: SanType.URI,
  email: SanType.EMAIL,
  ip: SanType.IP_ADDRESS,
} as const;

function nameMatcher({ type, match }: SubjectAltNameMatch): SubjectAltNameMatcher {
  const matcher = match.kind === 'present' ? { kind: 'prefix' as const, value: '' } : match;
  return create(SubjectAltNameMatcherSchema, {
    sanType: SAN_TYPES[type],
    matcher: encodeStringMatch(matcher),
  });
}

function pem(source: PemSource): SourceInit {
  return 'file' in source ? file(source.file) : inline(source.pem);
}

interface SourceInit {
  specifier: { case: 'filename' | 'inlineString'; value: string };
}

function file(path: string): SourceInit {
  return { specifier: { case: 'filename', value: path } };
}

function inline(text: string): SourceInit {
  return { specifier: { case: 'inlineString', value: text } };
}
