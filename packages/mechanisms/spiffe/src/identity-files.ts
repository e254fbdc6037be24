import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IdentitySnapshot, IdentitySource } from '@tulle/model';
import { systemClock, type Clock } from '@tulle/time';
import { readCertificate } from './certificate.ts';
import { identityHolder } from './identity-holder.ts';
import { certificatesOfPem } from './pem.ts';
import { parseSpiffeId } from './spiffe-id.ts';

export interface IdentityFilesOptions {
  /** PEM: the leaf first, then its issuers. Its one URI SAN is the identity. */
  readonly certificateFile: string;
  /** PEM, PKCS #8 or SEC 1. */
  readonly keyFile: string;
  /** PEM roots by trust domain. The leaf's own trust domain must be among them. */
  readonly rootFiles: Readonly<Record<string, string>>;
  /** How often the files are looked at for a change; default 10 000 ms, short against any certificate's life. 0: never. */
  readonly pollMs?: number;
  readonly clock?: Clock;
  /** Files that changed into something unusable; what was read before stays in use. Must not throw. */
  readonly onBadFiles?: (error: Error) => void;
}

export interface IdentityFiles extends IdentitySource {
  current(): IdentitySnapshot;
  close(): void;
}

/**
 * An identity from files that another program keeps fresh, for proxies without Tulle's CA.
 * @throws when the files cannot be read or do not belong together; the message names the file.
 */
export async function identityFiles(options: IdentityFilesOptions): Promise<IdentityFiles> {
  const { pollMs = 10_000, clock = systemClock() } = options;
  let generation = 1;
  const first = await readIdentity(options, generation);
  let last = textOf(first);
  let now = first;
  const holder = identityHolder(first);
  let cancel = (): void => undefined;
  let closed = false;

  const look = async (): Promise<void> => {
    try {
      const snapshot = await readIdentity(options, generation + 1);
      const text = textOf(snapshot);
      if (text === last || closed) return;
      last = text;
      now = snapshot;
      generation++;
      holder.set(snapshot);
    } catch (error) {
      options.onBadFiles?.(error instanceof Error ? error : new Error(String(error)));
    }
  };
  const arm = (): void => {
    if (pollMs === 0 || closed) return;
    cancel = clock.setTimer(pollMs, () => void look().finally(arm));
  };
  arm();
  return {
    current: () => now,
    subscribe: (listener) => holder.subscribe(listener),
    close() {
      closed = true;
      cancel();
    },
  };
}

function textOf({ svid, bundles }: IdentitySnapshot): string {
  return [
    svid.certificateChainPem,
    svid.privateKeyPem,
    ...bundles.flatMap((bundle) => [bundle.trustDomain, ...bundle.rootsPem]),
  ].join('\n');
}

async function readIdentity(options: IdentityFilesOptions, generation: number): Promise<IdentitySnapshot> {
  const { certificateFile, keyFile } = options;
  const certificateChainPem = await readFile(certificateFile, 'utf8');
  const privateKeyPem = await readFile(keyFile, 'utf8');
  const [leaf] = certificatesOfPem(certificateChainPem);
  if (leaf === undefined) throw new Error(`${certificateFile} has no certificate in PEM`);
  const facts = readCertificate(leaf);
  const [uri, ...more] = facts.uriSans;
  if (uri === undefined || more.length > 0)
    throw new Error(
      `the first certificate of ${certificateFile} has ${facts.uriSans.length} URIs in its subject alternative name; an SVID has exactly one`,
    );
  const { text: spiffeId, trustDomain } = parseSpiffeId(uri);
  if (!new X509Certificate(leaf).checkPrivateKey(createPrivateKey(privateKeyPem)))
    throw new Error(`the key in ${keyFile} does not belong to the first certificate of ${certificateFile}`);
  const bundles = await Promise.all(
    Object.entries(options.rootFiles).map(async ([domain, file]) => {
      const pem = await readFile(file, 'utf8');
      if (certificatesOfPem(pem).length === 0) throw new Error(`${file} has no certificate in PEM`);
      return { trustDomain: domain, rootsPem: [pem], generation };
    }),
  );
  if (!bundles.some((bundle) => bundle.trustDomain === trustDomain))
    throw new Error(
      `rootFiles has no roots for ${trustDomain}, the trust domain of ${spiffeId} in ${certificateFile}`,
    );
  const { notBeforeMs, notAfterMs, serial } = facts;
  return { svid: { spiffeId, certificateChainPem, privateKeyPem, notBeforeMs, notAfterMs, serial }, bundles };
}
