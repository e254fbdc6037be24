import type { FieldTable } from '@tulle/fields';
import type { ConnectionInfo } from '@tulle/filter';
import type { CertificatePart } from '@tulle/model';
import type { CompiledForwarding } from '../compile/compiled.ts';
import type { PeerCertificate } from '../ports.ts';
import type { Stream } from '../stream/stream.ts';
import { appendField } from './append-field.ts';
import { addressesOf, detectCaller, fromEnd } from './caller-address.ts';

/** Fields of requests from outside that would control this proxy or those behind it (Envoy `cleanInternalHeaders`). */
const CONTROLS: ReadonlySet<string> = new Set([
  'x-envoy-retriable-status-codes',
  'x-envoy-retriable-header-names',
  'x-envoy-retry-on',
  'x-envoy-retry-grpc-on',
  'x-envoy-max-retries',
  'x-envoy-upstream-alt-stat-name',
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-upstream-rq-timeout-alt-response',
  'x-envoy-expected-rq-timeout-ms',
  'x-envoy-force-trace',
  'x-envoy-ip-tags',
  'x-envoy-original-url',
  'x-envoy-hedge-on-per-try-timeout',
]);

/** And what only proxies before this one say, of which an edge has none. */
const EDGE: ReadonlySet<string> = new Set([
  'x-envoy-decorator-operation',
  'x-envoy-downstream-service-cluster',
  'x-envoy-downstream-service-node',
  'x-envoy-original-path',
  'x-envoy-original-host',
]);

/** What {@link forwardAsEnvoy} found: from outside, to an edge. */
export const AT_EDGE = 1;
/** Or that the caller's address is nowhere where it has to be. */
export const CALLER_UNKNOWN = 2;

/**
 * Treats the fields by which a request says where it came from as Envoy's HttpConnectionManager does (its documentation,
 * "HTTP header manipulation"), and notes who called. @returns {@link AT_EDGE}, {@link CALLER_UNKNOWN}, or 0
 */
export function forwardAsEnvoy(
  stream: Stream,
  connection: ConnectionInfo & { readonly certificate?: PeerCertificate | undefined },
  rules: CompiledForwarding,
): number {
  const { headers } = stream;
  const { client, trustedHops } = rules;
  const peer = connection.remoteAddress;
  const proto = connection.tls ? 'https' : 'http';
  let named: string;
  let single: boolean;
  if (rules.detection !== undefined) {
    const found = detectCaller(headers, peer, rules.detection);
    if (found === undefined && rules.refuseStatus > 0) return CALLER_UNKNOWN;
    named = found?.address ?? '';
    single = found?.mayBeInternal ?? false;
    if (!headers.has('x-forwarded-proto')) headers.add('x-forwarded-proto', proto);
  } else if (client === 'peer') {
    const said = addressesOf(headers);
    single = said.length === 0;
    named = (trustedHops > 0 ? fromEnd(said, trustedHops - 1) : '') || peer;
    if (rules.append && peer !== '') appendField(headers, 'x-forwarded-for', peer);
    if (trustedHops === 0 || !headers.has('x-forwarded-proto')) headers.put('x-forwarded-proto', proto);
  } else {
    const said = addressesOf(headers);
    single = said.length === 1;
    named = fromEnd(said, trustedHops);
    if (!headers.has('x-forwarded-proto')) headers.add('x-forwarded-proto', proto);
  }
  if (rules.port && ((client === 'peer' && trustedHops === 0) || !headers.has('x-forwarded-port')))
    headers.put('x-forwarded-port', String(connection.localPort));
  if (rules.scheme !== undefined) headers.put('x-forwarded-proto', rules.scheme);
  const scheme = headers.get('x-forwarded-proto')?.toLowerCase();
  if (scheme === 'http' || scheme === 'https') stream.toldScheme = scheme;
  const internal = single && named !== '' && isInternal(named, rules);
  const edge = client === 'peer' && !internal;
  stream.clientAddress = named === '' ? peer : named;
  const { internalOnly } = stream.chain.settings;
  dropControls(
    headers,
    internal,
    edge,
    typeof internalOnly === 'function' ? internalOnly(headers) : internalOnly,
  );
  if (internal) headers.put('x-envoy-internal', 'true');
  else headers.drop('x-envoy-internal');
  if (edge && stream.clientAddress !== '') headers.put('x-envoy-external-address', stream.clientAddress);
  if (rules.node !== undefined) tellNode(headers, rules.node);
  forwardCertificate(headers, connection.certificate, rules);
  return edge ? AT_EDGE : 0;
}

function tellNode(headers: FieldTable, { cluster, id }: NonNullable<CompiledForwarding['node']>): void {
  headers.put('x-envoy-downstream-service-cluster', cluster);
  if ((headers.get('user-agent') ?? '') === '') headers.put('user-agent', cluster);
  if (id !== '') headers.put('x-envoy-downstream-service-node', id);
}

function isInternal(address: string, { internal }: CompiledForwarding): boolean {
  return internal !== undefined && internal.has(address);
}

function dropControls(
  headers: FieldTable,
  internal: boolean,
  edge: boolean,
  internalOnly: readonly string[] | null,
): void {
  for (let i = headers.length - 1; i >= 0; i--) {
    const name = headers.name(i);
    if (!name.startsWith('x-')) continue;
    // What Tulle's proxies tell each other is for proven peers only.
    const drop = name.startsWith('x-tulle-') || (!internal && CONTROLS.has(name)) || (edge && EDGE.has(name));
    if (!drop) continue;
    headers.drop(name);
    i = Math.min(i, headers.length);
  }
  if (!internal && internalOnly !== null) for (const name of internalOnly) headers.drop(name);
}

const XFCC = 'x-forwarded-client-cert';

function forwardCertificate(
  headers: FieldTable,
  certificate: PeerCertificate | undefined,
  { clientCertificate, certificateParts }: CompiledForwarding,
): void {
  if (clientCertificate === 'always-forward') return;
  if (clientCertificate === 'sanitize' || certificate === undefined) return void headers.drop(XFCC);
  if (clientCertificate === 'forward') return;
  const element = elementOf(certificate, certificateParts);
  if (clientCertificate === 'replace' || !headers.has(XFCC)) headers.put(XFCC, element);
  else headers.put(XFCC, [...headers.getAll(XFCC), element].join(','));
}

/** Made once for each certificate and list of parts: both stay as long as the connection. */
const elements: WeakMap<PeerCertificate, Map<readonly CertificatePart[], string>> = new WeakMap();

function elementOf(certificate: PeerCertificate, parts: readonly CertificatePart[]): string {
  let known = elements.get(certificate);
  if (known === undefined) elements.set(certificate, (known = new Map<readonly CertificatePart[], string>()));
  let element = known.get(parts);
  if (element === undefined) known.set(parts, (element = makeElement(certificate, parts)));
  return element;
}

/** Keys in Envoy's order. */
const ORDER: readonly CertificatePart[] = ['cert', 'chain', 'subject', 'uri', 'dns'];

function makeElement(certificate: PeerCertificate, parts: readonly CertificatePart[]): string {
  const pairs = certificate.localUris.map((uri) => `By=${valueText(uri)}`);
  pairs.push(`Hash=${certificate.sha256}`);
  for (const part of ORDER) {
    if (!parts.includes(part)) continue;
    if (part === 'cert') pairs.push(`Cert="${encodeURIComponent(certificate.pem)}"`);
    else if (part === 'chain') pairs.push(`Chain="${encodeURIComponent(certificate.chainPem)}"`);
    else if (part === 'subject') pairs.push(`Subject=${quoted(certificate.subject)}`);
    else if (part === 'dns') pairs.push(...certificate.dns.map((name) => `DNS=${valueText(name)}`));
    else if (certificate.uris.length === 0) pairs.push('URI=');
    else pairs.push(...certificate.uris.map((uri) => `URI=${valueText(uri)}`));
  }
  return pairs.join(';');
}

/** A value as it stands, quoted where it could end its element. */
function valueText(value: string): string {
  return /^[^",;=\\\s]*$/.test(value) ? printable(value) : quoted(value);
}

function quoted(value: string): string {
  return `"${printable(value).replace(/["\\]/g, '\\$&')}"`;
}

/** What a certificate may hold and a field may not is escaped as in RFC 3986. */
function printable(value: string): string {
  return value.replace(/[^\x20-\x7e]/g, (character) => encodeURIComponent(character.toWellFormed()));
}
