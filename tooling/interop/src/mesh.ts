import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import type { Ca } from '@tulle/ca';
import { createKeyAndCsr } from '@tulle/spiffe';

/** Files of an identity, as other people's programs read them. */
export interface IdentityPaths {
  readonly certificate: string;
  readonly key: string;
  readonly roots: string;
}

/** Has a CA certify an id, and writes certificate chain, key and roots as PEM. */
export async function writeIdentity(
  ca: Ca,
  spiffeId: string,
  directory: string,
  name: string,
): Promise<IdentityPaths> {
  const { csrDer, privateKeyPem } = await createKeyAndCsr(spiffeId);
  const { certificateChainPem, bundles } = await ca.issueLocal(spiffeId, csrDer);
  const paths = {
    certificate: join(directory, `${name}.pem`),
    key: join(directory, `${name}.key`),
    roots: join(directory, `${name}.roots`),
  };
  await writeFile(paths.certificate, certificateChainPem);
  await writeFile(paths.key, privateKeyPem, { mode: 0o600 });
  await writeFile(paths.roots, bundles.flatMap(({ rootsPem }) => rootsPem).join(''));
  return paths;
}

/** A plain HTTP service on loopback. */
export async function startOrigin(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly port: number; close(): void }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A service that speaks TLS of the mesh itself, as a sidecar would for it. */
export interface TlsOrigin {
  readonly port: number;
  /** Proves another identity from now on, on new connections; those there are end. */
  become(identity: IdentityPaths & { readonly spiffeId: string }): Promise<void>;
  close(): void;
}

/** Answers `<caller> calls <callee>`, by the service accounts that both proved. */
export async function startTlsOrigin(
  identity: IdentityPaths & { readonly spiffeId: string },
): Promise<TlsOrigin> {
  let accountNow = accountOf(identity.spiffeId);
  const load = async (paths: IdentityPaths): Promise<SecureContextOptions> => ({
    cert: await readFile(paths.certificate),
    key: await readFile(paths.key),
    ca: await readFile(paths.roots),
  });
  const server = createHttpsServer(
    {
      ...(await load(identity)),
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
    },
    (request, response) => {
      const uri = (request.socket as TLSSocket).getPeerCertificate().subjectaltname ?? '';
      response.end(`${accountOf(uri)} calls ${accountNow}`);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async become(next) {
      accountNow = accountOf(next.spiffeId);
      server.setSecureContext(await load(next));
      server.closeAllConnections();
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function accountOf(spiffeId: string): string {
  return /\/sa\/([^/,\s]+)/.exec(spiffeId)?.[1] ?? 'nobody';
}
