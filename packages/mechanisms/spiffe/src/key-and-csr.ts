import { createHash, createPublicKey, generateKeyPair, sign, type KeyObject } from 'node:crypto';
import { oid } from './certificate.ts';
import { tag, writeDer, writeOid } from './der.ts';
import { toPem } from './pem.ts';
import { parseSpiffeId } from './spiffe-id.ts';

const ecdsaWithSha256 = '1.2.840.10045.4.3.2';

/** A fresh private key and the request to certify its public half. The key goes nowhere but into the process that uses it. */
export interface KeyAndCsr {
  /** PKCS #8, EC P-256. */
  readonly privateKeyPem: string;
  /** PKCS #10 with the SPIFFE ID as its only name. */
  readonly csrPem: string;
  readonly csrDer: Buffer;
}

/**
 * Makes an EC P-256 key and a PKCS #10 request (RFC 2986) whose one URI SAN is `spiffeId` and whose subject is empty.
 * The request is written here, without an ASN.1 library, because every sidecar makes one at start and a library costs
 * it about 20 MB of memory.
 * @throws {SpiffeIdError} when `spiffeId` is not a SPIFFE ID.
 */
export async function createKeyAndCsr(spiffeId: string): Promise<KeyAndCsr> {
  const id = parseSpiffeId(spiffeId).text;
  const { privateKey, publicKey } = await new Promise<{ privateKey: KeyObject; publicKey: KeyObject }>(
    (resolve, reject) => {
      generateKeyPair('ec', { namedCurve: 'P-256' }, (error, publicHalf, privateHalf) => {
        if (error) reject(error);
        else resolve({ privateKey: privateHalf, publicKey: publicHalf });
      });
    },
  );
  const names = writeDer(tag.sequence, writeDer(tag.contextPrimitive(6), Buffer.from(id, 'latin1')));
  // Critical because the subject is empty (RFC 5280 §4.2.1.6).
  const san = writeDer(
    tag.sequence,
    writeOid(oid.subjectAltName),
    writeDer(tag.boolean, Buffer.from([0xff])),
    writeDer(tag.octetString, names),
  );
  const attribute = writeDer(
    tag.sequence,
    writeOid(oid.extensionRequest),
    writeDer(tag.set, writeDer(tag.sequence, san)),
  );
  const info = writeDer(
    tag.sequence,
    writeDer(tag.integer, Buffer.from([0])),
    writeDer(tag.sequence),
    publicKey.export({ format: 'der', type: 'spki' }),
    writeDer(tag.context(0), attribute),
  );
  const signature = sign('sha256', info, privateKey);
  const csrDer = writeDer(
    tag.sequence,
    info,
    writeDer(tag.sequence, writeOid(ecdsaWithSha256)),
    writeDer(tag.bitString, Buffer.from([0]), signature),
  );
  return {
    privateKeyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    csrPem: toPem('CERTIFICATE REQUEST', csrDer),
    csrDer,
  };
}

/** SHA-256 of a public key's SubjectPublicKeyInfo, base64url: what a join token pins. Takes SPKI or certificate PEM, or SPKI DER. */
export function publicKeyPin(key: Buffer | string): string {
  const spki = typeof key === 'string' ? createPublicKey(key).export({ format: 'der', type: 'spki' }) : key;
  return createHash('sha256').update(spki).digest('base64url');
}
