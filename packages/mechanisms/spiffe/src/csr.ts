import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { keyUsage, oid, readExtensions, readSubjectAltName, type Extension } from './certificate.ts';
import { weakKeyOf } from './chain.ts';
import {
  cursor,
  DerError,
  readBits,
  readBoolean,
  readChildren,
  readDer,
  readOid,
  readSmallInteger,
  tag,
} from './der.ts';

/** Largest signing request that is read, in bytes; one with an EC key has about 250. */
export const maxCsrBytes = 8_192;

/** Signature algorithm → hash for `crypto.verify`; null where the algorithm has its own. */
const hashes = new Map<string, string | null>([
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.3.101.112', null],
]);

/** What a signing request asks for. Nothing here is granted by being asked. */
export interface CsrFacts {
  readonly publicKey: KeyObject;
  readonly spki: Buffer;
  /** Why the key is too weak to certify, or undefined. */
  readonly weakKey: string | undefined;
  readonly uriSans: readonly string[];
  /** GeneralName types in the requested SAN other than URI. */
  readonly otherSanTypes: readonly number[];
  readonly wantsCa: boolean;
  readonly wantsToSign: boolean;
  readonly extendedKeyUsage: readonly string[];
  /** OIDs of requested extensions beyond SAN, basic constraints and key usages. */
  readonly otherExtensions: readonly string[];
}

const known = new Set<string>([
  oid.subjectAltName,
  oid.basicConstraints,
  oid.keyUsage,
  oid.extKeyUsage,
  oid.subjectKeyId,
]);

/**
 * Reads a PKCS #10 request (RFC 2986) and checks that whoever made it holds the private key.
 * @throws {DerError} when it is not one request in strict DER, or its signature does not match.
 */
export function readCsr(der: Buffer): CsrFacts {
  if (der.length > maxCsrBytes) throw new DerError(`the request is larger than ${maxCsrBytes} bytes`);
  const outer = cursor(readDer(der, tag.sequence).content);
  const info = outer.take(tag.sequence, 'request info');
  const algorithm = readOid(
    cursor(outer.take(tag.sequence, 'signature algorithm').content).take(tag.oid, 'algorithm id').content,
  );
  const signature = outer.take(tag.bitString, 'signature').content;
  outer.end('the request');

  const parts = cursor(info.content);
  if (readSmallInteger(parts.take(tag.integer, 'version').content) !== 0)
    throw new DerError('the request is not version 1');
  parts.take(tag.sequence, 'subject');
  const spki = parts.take(tag.sequence, 'public key').bytes;
  const attributes = parts.takeIf(tag.context(0));
  parts.end('the request info');

  const hash = hashes.get(algorithm);
  if (hash === undefined) throw new DerError(`signature algorithm ${algorithm} is weak or unknown`);
  let publicKey: KeyObject;
  let signed = false;
  try {
    publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    signed = signature[0] === 0 && verify(hash, info.bytes, publicKey, signature.subarray(1));
  } catch (error) {
    throw new DerError(
      `the public key cannot be used: ${error instanceof Error ? error.message : 'unreadable'}`,
    );
  }
  if (!signed) throw new DerError('the signature does not match the public key');

  const extensions = requestedExtensions(attributes?.content);
  const san = extensions.get(oid.subjectAltName);
  const names = san === undefined ? { uris: [], otherTypes: [] } : readSubjectAltName(san.value);
  const basic = extensions.get(oid.basicConstraints);
  const caFlag =
    basic === undefined ? undefined : cursor(readDer(basic.value, tag.sequence).content).takeIf(tag.boolean);
  const usage = extensions.get(oid.keyUsage);
  const bits = usage === undefined ? 0 : readBits(readDer(usage.value, tag.bitString).content);
  const extended = extensions.get(oid.extKeyUsage);
  return {
    publicKey,
    spki,
    weakKey: weakKeyOf(publicKey),
    uriSans: names.uris,
    otherSanTypes: names.otherTypes,
    wantsCa: caFlag !== undefined && readBoolean(caFlag.content),
    wantsToSign: (bits & (keyUsage.keyCertSign | keyUsage.crlSign)) !== 0,
    extendedKeyUsage:
      extended === undefined
        ? []
        : readChildren(readDer(extended.value, tag.sequence).content).map((id) => readOid(id.content)),
    otherExtensions: [...extensions.keys()].filter((id) => !known.has(id)),
  };
}

function requestedExtensions(attributes: Buffer | undefined): Map<string, Extension> {
  let found: Map<string, Extension> | undefined;
  for (const attribute of attributes === undefined ? [] : readChildren(attributes)) {
    const parts = cursor(attribute.content);
    const id = readOid(parts.take(tag.oid, 'attribute id').content);
    const values = parts.take(tag.set, 'attribute values');
    parts.end('an attribute');
    // Other attributes (challenge password, names) ask for nothing that could go into a certificate.
    if (id !== oid.extensionRequest) continue;
    if (found !== undefined) throw new DerError('extensions are requested twice');
    found = readExtensions(readDer(values.content, tag.sequence).content);
  }
  return found ?? new Map<string, Extension>();
}
