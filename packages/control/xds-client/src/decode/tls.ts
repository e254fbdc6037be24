import { Buffer } from 'node:buffer';
import { create, isMessage } from '@bufbuild/protobuf';
import type { Duration } from '@bufbuild/protobuf/wkt';
import type {
  CertificateSource,
  DownstreamTls,
  Passthrough,
  ProxyHeaderOptions,
  ProxyProtocolVersion,
  SubjectAltNameMatch,
  TicketKey,
  TlsParameters,
  UpstreamTls,
} from '@tulle/model';
import type { DataSource, Metadata, TransportSocket } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { InternalUpstreamTransportSchema as InternalSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/internal_upstream/v3/internal_upstream';
import { ProxyProtocolUpstreamTransportSchema as ProxyProtocolSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol';
import { RawBufferSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer';
import {
  type CommonTlsContext,
  CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/tls';
import { WORKLOAD_SECRET } from '../wire.ts';
import { checkSource } from './config-source.ts';
import type { DecodeContext } from './context.ts';
import { decodeText } from './data-source.ts';
import { decodePassthrough } from './internal.ts';
import { decodeProxyHeader } from './proxy-protocol.ts';
import { decodeTlsParameters } from './tls-parameters.ts';
import { decodeValidation, type Validation } from './tls-validation.ts';
import { filled, present } from './values.ts';

/**
 * @param mayShowNone Tulle's control plane says that a certificate is looked at where one is shown
 * @returns `undefined` for plain text
 */
export function decodeDownstreamTls(
  context: DecodeContext,
  socket: TransportSocket | undefined,
  mayShowNone: boolean,
  path: string,
): DownstreamTls | undefined {
  const message = openSocket(context, socket, path);
  if (!message || isMessage(message, RawBufferSchema)) return undefined;
  if (!isMessage(message, DownstreamTlsContextSchema) || !message.commonTlsContext) {
    context.refuse(path, 'must be a DownstreamTlsContext with a common_tls_context, or a RawBuffer');
    return undefined;
  }
  const at = `${path}.typed_config`;
  const {
    certificates: [certificate, ...more],
    trust,
    anyName: _,
    anyChain = false,
    ...rest
  } = decodeCommon(context, message.commonTlsContext, `${at}.common_tls_context`);
  if (trust === undefined && (rest.certificateHashes ?? rest.publicKeyHashes) !== undefined)
    context.refuse(
      `${at}.common_tls_context.validation_context`,
      'must name roots beside hashes: this proxy asks callers for certificates by the roots that it believes',
    );
  if (message.fullScanCertsOnSniMismatch === true)
    context.refuse(`${at}.full_scan_certs_on_sni_mismatch`, 'must be false');
  const tickets = message.sessionTicketKeysType;
  if (!certificate)
    context.refuse(
      `${at}.common_tls_context`,
      'names no certificate: give tls_certificates or tls_certificate_sds_secret_configs',
    );
  // Who has to have a name has to show a certificate; so in Envoy too, whatever require_client_certificate says.
  const { allowedIds, subjectAltNames, certificateHashes, publicKeyHashes } = rest;
  const isNamed = (allowedIds ?? subjectAltNames ?? certificateHashes ?? publicKeyHashes) !== undefined;
  const required = message.requireClientCertificate === true || (isNamed && !mayShowNone);
  if (anyChain && required)
    context.refuse(
      `${at}.require_client_certificate`,
      'must be false beside ACCEPT_UNTRUSTED: a certificate that nobody vouches for is as good as none',
    );
  const clientCertificate = trust
    ? required
      ? undefined
      : anyChain
        ? ('any' as const)
        : ('accept' as const)
    : required
      ? ('require' as const)
      : undefined;
  return present({
    certificate: certificate ?? { kind: 'workload' as const },
    moreCertificates: filled(more),
    trust: trust as DownstreamTls['trust'],
    clientCertificate,
    requireServerName: message.requireSni === true ? true : undefined,
    preferClientCiphers: message.preferClientCiphers || undefined,
    sessionTicketKey:
      tickets.case === 'sessionTicketKeys'
        ? decodeTicketKey(context, tickets.value.keys, `${at}.session_ticket_keys`)
        : undefined,
    sessionTimeoutMs: wholeSeconds(message.sessionTimeout),
    sessionTickets: tickets.case === 'disableStatelessSessionResumption' && tickets.value ? false : undefined,
    ...rest,
  });
}

/** What is less than a second says nothing, as in Envoy. */
function wholeSeconds(timeout: Duration | undefined): number | undefined {
  const seconds = Number(timeout?.seconds ?? 0n);
  return seconds === 0 ? undefined : seconds * 1_000;
}

/** The first makes tickets. The others open those of before, which cost a full handshake here. */
function decodeTicketKey(
  context: DecodeContext,
  keys: readonly DataSource[],
  path: string,
): TicketKey | undefined {
  if (keys.length === 0) context.refuse(`${path}.keys`, 'is empty');
  const [first] = keys.map(({ specifier }, index): TicketKey | undefined => {
    const here = `${path}.keys[${index}]`;
    if (specifier.case === 'filename') return { file: specifier.value };
    if (specifier.case !== 'inlineBytes' && specifier.case !== 'inlineString') {
      context.refuse(here, 'must be a filename, inline_bytes or inline_string');
      return undefined;
    }
    const key = Buffer.from(specifier.value as string);
    if (key.length !== 80) context.refuse(here, `must have 80 bytes, but has ${key.length}`);
    return { keyBase64: key.toString('base64') };
  });
  return first;
}

/** How endpoints are spoken to. */
export interface UpstreamTransport {
  /** `undefined`: plain text. */
  readonly tls: UpstreamTls | undefined;
  readonly proxyProtocol?: ProxyProtocolVersion;
  readonly proxyHeader?: ProxyHeaderOptions;
  readonly passthrough: Passthrough | undefined;
}

/**
 * @param requestsName whether requests say which server name is asked for, in place of `sni`
 * @param own metadata of the cluster, which listeners of this process may be told
 */
export function decodeUpstreamTransport(
  context: DecodeContext,
  socket: TransportSocket | undefined,
  path: string,
  requestsName = false,
  own?: Metadata,
): UpstreamTransport {
  const message = openSocket(context, socket, path);
  if (!message || !isMessage(message, InternalSchema))
    return { ...decodeOutward(context, message, path, requestsName), passthrough: undefined };
  const inner = `${path}.typed_config.transport_socket`;
  if (message.transportSocket === undefined) context.refuse(inner, 'is missing');
  const within = openSocket(context, message.transportSocket, inner);
  return {
    ...decodeOutward(context, within, inner, requestsName),
    passthrough: decodePassthrough(context, message, own, `${path}.typed_config`),
  };
}

function decodeOutward(
  context: DecodeContext,
  message: ReturnType<DecodeContext['open']>,
  path: string,
  requestsName: boolean,
): Omit<UpstreamTransport, 'passthrough'> {
  if (!message || !isMessage(message, ProxyProtocolSchema))
    return { tls: decodeUpstreamTls(context, message, path, requestsName) };
  const inner = `${path}.typed_config.transport_socket`;
  if (message.transportSocket === undefined) context.refuse(inner, 'is missing');
  return {
    tls: decodeUpstreamTls(context, openSocket(context, message.transportSocket, inner), inner, requestsName),
    ...decodeProxyHeader(context, message, `${path}.typed_config`),
  };
}

/** @returns `undefined` for plain text */
function decodeUpstreamTls(
  context: DecodeContext,
  message: ReturnType<DecodeContext['open']>,
  path: string,
  requestsName: boolean,
): UpstreamTls | undefined {
  if (!message || isMessage(message, RawBufferSchema)) return undefined;
  if (!isMessage(message, UpstreamTlsContextSchema)) {
    context.refuse(path, 'must be an UpstreamTlsContext or a RawBuffer');
    return undefined;
  }
  const at = `${path}.typed_config.common_tls_context`;
  const {
    certificates: [certificate, ...more],
    trust = { kind: 'none' as const },
    anyName,
    anyChain = false,
    subjectAltNames,
    allowedIds,
    ...rest
  } = decodeCommon(context, message.commonTlsContext ?? create(CommonTlsContextSchema), at);
  const byServerName = message.autoSniSanValidation;
  if (byServerName && (trust.kind === 'none' || trust.kind === 'mesh'))
    context.refuse(
      `${path}.typed_config.auto_sni_san_validation`,
      "must stand beside roots that are not the mesh's: without them anybody could say any name",
    );
  if (message.autoHostSni && trust.kind === 'mesh')
    context.refuse(
      `${path}.typed_config.auto_host_sni`,
      'must be false: peers of the mesh are told apart by SPIFFE id',
    );
  if (more.length > 0)
    context.refuse(`${at}.tls_certificates[1]`, 'must not be there: an endpoint is shown one certificate');
  if (anyChain)
    context.refuse(
      `${at}.validation_context.trust_chain_verification`,
      'must be VERIFY_TRUST_CHAIN: whom nobody vouches for could say any name',
    );
  const serverName = message.sni === '' ? undefined : message.sni;
  // Where requests say the server name, the name that is expected is another matter (but to Tulle's own control plane).
  const varies = requestsName && context.origin !== undefined;
  const named = subjectAltNames !== undefined && !varies && isServerName(subjectAltNames, message.sni);
  return present({
    certificate,
    trust,
    serverName,
    serverNameFromHost: message.autoHostSni || undefined,
    // In place of whatever names are expected besides.
    ...(!byServerName && present({ subjectAltNames: named ? undefined : subjectAltNames, allowedIds })),
    // A control plane of Tulle names whom it means; one of an older release does not, and means the name that is asked for.
    verifyName: byServerName
      ? true
      : context.origin !== undefined && anyName === true && trust.kind !== 'mesh' && trust.kind !== 'none'
        ? false
        : undefined,
    // How many are kept is the proxy's own affair; none is a matter of policy.
    sessionResumption: message.maxSessionKeys === 0 ? false : undefined,
    ...rest,
  });
}

/** Whether the names expected say no more than what the proxy looks at by itself: the one that it asks for. */
function isServerName(names: readonly SubjectAltNameMatch[], sni: string): boolean {
  const [only, ...more] = names;
  if (only === undefined || more.length > 0 || only.match.kind !== 'exact') return false;
  const { type, match } = only;
  return (type === 'dns' || type === 'ip') && match.value === sni && match.ignoreCase !== true;
}

function openSocket(
  context: DecodeContext,
  socket: TransportSocket | undefined,
  path: string,
): ReturnType<DecodeContext['open']> {
  if (!socket) return undefined;
  const { configType } = socket;
  return context.open(
    configType.case === 'typedConfig' ? configType.value : undefined,
    `${path}.typed_config`,
  );
}

interface CommonTls extends Validation, TlsParameters {
  readonly certificates: readonly CertificateSource[];
}

function decodeCommon(context: DecodeContext, common: CommonTlsContext, path: string): CommonTls {
  return present({
    certificates: decodeCertificates(context, common, path),
    ...decodeValidation(context, common, path),
    alpn: filled(common.alpnProtocols),
    ...decodeTlsParameters(context, common.tlsParams, `${path}.tls_params`),
  });
}

function decodeCertificates(
  context: DecodeContext,
  common: CommonTlsContext,
  path: string,
): readonly CertificateSource[] {
  const { tlsCertificates, tlsCertificateSdsSecretConfigs: secrets } = common;
  const [secret] = secrets;
  if (secret) {
    if (tlsCertificates.length + secrets.length > 1)
      context.refuse(path, 'names another certificate beside that of a secret');
    const here = `${path}.tls_certificate_sds_secret_configs[0]`;
    if (secret.name !== WORKLOAD_SECRET)
      context.refuse(
        `${here}.name`,
        `must be "${WORKLOAD_SECRET}", the workload's own certificate, but is "${secret.name}"`,
      );
    checkSource(context, secret.sdsConfig, `${here}.sds_config`);
    return [{ kind: 'workload' }];
  }
  return tlsCertificates.flatMap((given, index): CertificateSource[] => {
    const here = `${path}.tls_certificates[${index}]`;
    for (const field of ['certificateChain', 'privateKey'] as const)
      if (given[field] === undefined)
        context.refuse(
          `${here}.${field === 'privateKey' ? 'private_key' : 'certificate_chain'}`,
          'is missing',
        );
    const chain = decodeText(context, given.certificateChain, `${here}.certificate_chain`);
    const key = decodeText(context, given.privateKey, `${here}.private_key`);
    if (chain === undefined || key === undefined) return [];
    const secret = decodeText(context, given.password, `${here}.password`);
    const keyPassword = secret && ('file' in secret ? secret : { password: secret.text });
    if ('file' in chain && 'file' in key)
      return [
        present({ kind: 'files' as const, certificateFile: chain.file, keyFile: key.file, keyPassword }),
      ];
    if ('text' in chain && 'text' in key)
      return [
        present({ kind: 'inline' as const, certificatePem: chain.text, keyPem: key.text, keyPassword }),
      ];
    context.refuse(here, 'must have chain and key both in files, or neither: they are renewed together');
    return [];
  });
}
