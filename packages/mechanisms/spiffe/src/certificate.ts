import { createHash } from 'node:crypto';
import {
  cursor,
  DerError,
  readBits,
  readBoolean,
  readChildren,
  readDer,
  readOid,
  readSmallInteger,
  readTime,
  tag,
} from './der.ts';

/** Largest certificate that is read, in bytes. An SVID has about 600; 16 KiB leaves room for RSA and long names. */
export const maxCertificateBytes = 16_384;

/** Key usage bits of RFC 5280 §4.2.1.3 as `CertificateFacts.keyUsage` holds them. */
export const keyUsage = { digitalSignature: 0x8000, keyCertSign: 0x0400, crlSign: 0x0200 } as const;

export const oid = {
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  authorityKeyId: '2.5.29.35',
  extKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  anyExtendedKeyUsage: '2.5.29.37.0',
  extensionRequest: '1.2.840.113549.1.9.14',
} as const;

/** GeneralName tags (RFC 5280 §4.2.1.6) without their class bits. */
export const generalName = { email: 1, dns: 2, directory: 4, uri: 6, ip: 7 } as const;

/** Signature algorithms that may stand on a certificate: nothing on SHA-1 or MD5, nothing unknown. */
const signatureAlgorithms = new Set([
  '1.2.840.10045.4.3.2', // ecdsa-with-SHA256
  '1.2.840.10045.4.3.3', // ecdsa-with-SHA384
  '1.2.840.10045.4.3.4', // ecdsa-with-SHA512
  '1.2.840.113549.1.1.10', // RSASSA-PSS
  '1.2.840.113549.1.1.11', // sha256WithRSAEncryption
  '1.2.840.113549.1.1.12', // sha384WithRSAEncryption
  '1.2.840.113549.1.1.13', // sha512WithRSAEncryption
  '1.3.101.112', // Ed25519
]);

/** Extensions whose meaning the verifier applies. A critical one that is not here makes the certificate invalid (RFC 5280 §4.2). */
const understood = new Set<string>([
  oid.subjectKeyId,
  oid.keyUsage,
  oid.subjectAltName,
  oid.basicConstraints,
  oid.nameConstraints,
  oid.authorityKeyId,
  oid.extKeyUsage,
]);

/** A name constraint: the GeneralName type and, for URIs, the host it names (`.example.org` = any host below). */
export interface NameConstraint {
  readonly type: number;
  readonly uriHost: string;
}

/** What the verifier needs to know of a certificate, read strictly from its DER. */
export interface CertificateFacts {
  readonly der: Buffer;
  /** SHA-256 of the whole certificate, hex. */
  readonly fingerprint: string;
  /** Lower-case hex without leading zeros beyond a full byte. */
  readonly serial: string;
  /** The Name's DER, for comparing an issuer with a subject. */
  readonly subject: Buffer;
  readonly issuer: Buffer;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly spki: Buffer;
  readonly isCa: boolean;
  /** Intermediates allowed below this CA; undefined = no limit. */
  readonly pathLength: number | undefined;
  /** Undefined when the extension is absent. */
  readonly keyUsage: number | undefined;
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly uriSans: readonly string[];
  /** GeneralName types in the SAN other than URI. */
  readonly otherSanTypes: readonly number[];
  readonly permitted: readonly NameConstraint[];
  readonly excluded: readonly NameConstraint[];
  /** OIDs of critical extensions that are not understood. */
  readonly unknownCritical: readonly string[];
  readonly strongSignature: boolean;
}

export interface Extension {
  readonly id: string;
  readonly critical: boolean;
  readonly value: Buffer;
}

/** Reads `Extensions` (RFC 5280 §4.1): a SEQUENCE of extensions, none twice. */
export function readExtensions(sequence: Buffer): Map<string, Extension> {
  const extensions = new Map<string, Extension>();
  for (const element of readChildren(sequence)) {
    if (element.tag !== tag.sequence) throw new DerError('extension is not a sequence');
    const parts = cursor(element.content);
    const id = readOid(parts.take(tag.oid, 'extension id').content);
    const critical = parts.takeIf(tag.boolean);
    const value = parts.take(tag.octetString, 'extension value').content;
    parts.end('an extension');
    if (extensions.has(id)) throw new DerError(`extension ${id} stands twice`);
    extensions.set(id, { id, critical: critical !== undefined && readBoolean(critical.content), value });
  }
  return extensions;
}

/** The names of a SubjectAltName extension: URIs as text, the other types by tag. */
export function readSubjectAltName(value: Buffer): { uris: string[]; otherTypes: number[] } {
  const uris: string[] = [];
  const otherTypes: number[] = [];
  for (const name of readChildren(readDer(value, tag.sequence).content)) {
    const type = name.tag & 0x1f;
    if (name.tag === tag.contextPrimitive(generalName.uri)) uris.push(ia5(name.content));
    else otherTypes.push(type);
  }
  return { uris, otherTypes };
}

function ia5(content: Buffer): string {
  if (content.some((byte) => byte > 0x7f)) throw new DerError('a name has bytes that are not ASCII');
  return content.toString('latin1');
}

function readConstraints(content: Buffer | undefined): NameConstraint[] {
  if (content === undefined) return [];
  return readChildren(content).map((subtree) => {
    const base = readChildren(subtree.content)[0];
    if (subtree.tag !== tag.sequence || base === undefined)
      throw new DerError('name constraint without a base');
    const type = base.tag & 0x1f;
    return { type, uriHost: type === generalName.uri ? ia5(base.content) : '' };
  });
}

/**
 * Reads a certificate's facts.
 * @throws {DerError} when the bytes are not one X.509 v3 certificate in strict DER.
 */
export function readCertificate(der: Buffer): CertificateFacts {
  if (der.length > maxCertificateBytes)
    throw new DerError(`certificate is larger than ${maxCertificateBytes} bytes`);
  const outer = cursor(readDer(der, tag.sequence).content);
  const tbs = cursor(outer.take(tag.sequence, 'certificate body').content);
  const signatureAlgorithm = outer.take(tag.sequence, 'signature algorithm');
  outer.take(tag.bitString, 'signature');
  outer.end('the certificate');

  const version = tbs.takeIf(tag.context(0));
  if (version === undefined || readSmallInteger(readDer(version.content, tag.integer).content) !== 2)
    throw new DerError('certificate is not version 3');
  const serial = tbs.take(tag.integer, 'serial number').content;
  const innerAlgorithm = tbs.take(tag.sequence, 'inner signature algorithm');
  if (!innerAlgorithm.bytes.equals(signatureAlgorithm.bytes))
    throw new DerError('the two signature algorithms differ');
  const issuer = tbs.take(tag.sequence, 'issuer').bytes;
  const [notBefore, notAfter, ...more] = readChildren(tbs.take(tag.sequence, 'validity').content);
  if (notBefore === undefined || notAfter === undefined || more.length > 0)
    throw new DerError('validity has not two times');
  const subject = tbs.take(tag.sequence, 'subject').bytes;
  const spki = tbs.take(tag.sequence, 'public key').bytes;
  tbs.takeIf(tag.contextPrimitive(1));
  tbs.takeIf(tag.contextPrimitive(2));
  const wrapped = tbs.takeIf(tag.context(3));
  tbs.end('the certificate body');
  const extensions =
    wrapped === undefined
      ? new Map<string, Extension>()
      : readExtensions(readDer(wrapped.content, tag.sequence).content);

  const basic = extensions.get(oid.basicConstraints);
  const basicParts = basic === undefined ? undefined : cursor(readDer(basic.value, tag.sequence).content);
  const caFlag = basicParts?.takeIf(tag.boolean);
  const pathLength = basicParts?.takeIf(tag.integer);
  basicParts?.end('basic constraints');
  const usage = extensions.get(oid.keyUsage);
  const extended = extensions.get(oid.extKeyUsage);
  const san = extensions.get(oid.subjectAltName);
  const names = san === undefined ? { uris: [], otherTypes: [] } : readSubjectAltName(san.value);
  const constraints = extensions.get(oid.nameConstraints);
  const constraintParts =
    constraints === undefined ? undefined : cursor(readDer(constraints.value, tag.sequence).content);
  const permitted = readConstraints(constraintParts?.takeIf(tag.context(0))?.content);
  const excluded = readConstraints(constraintParts?.takeIf(tag.context(1))?.content);
  constraintParts?.end('name constraints');
  const algorithm = cursor(signatureAlgorithm.content).take(tag.oid, 'signature algorithm id');

  return {
    der,
    fingerprint: createHash('sha256').update(der).digest('hex'),
    serial: serial.toString('hex').replace(/^(00)+(?=.)/, ''),
    subject,
    issuer,
    notBeforeMs: readTime(notBefore),
    notAfterMs: readTime(notAfter),
    spki,
    isCa: caFlag !== undefined && readBoolean(caFlag.content),
    pathLength: pathLength === undefined ? undefined : readSmallInteger(pathLength.content),
    keyUsage: usage === undefined ? undefined : readBits(readDer(usage.value, tag.bitString).content),
    extendedKeyUsage:
      extended === undefined
        ? undefined
        : readChildren(readDer(extended.value, tag.sequence).content).map((id) => readOid(id.content)),
    uriSans: names.uris,
    otherSanTypes: names.otherTypes,
    permitted,
    excluded,
    unknownCritical: [...extensions.values()]
      .filter((e) => e.critical && !understood.has(e.id))
      .map((e) => e.id),
    strongSignature: signatureAlgorithms.has(readOid(algorithm.content)),
  };
}
