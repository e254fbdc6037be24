import { chmodSync } from 'node:fs';
import { isIP } from 'node:net';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { TulleError } from '@tulle/filter';
import { removeStaleSocket } from '@tulle/unix-socket';

/** Where an xDS server listens: a Unix socket, or a port. */
export type ListenAt =
  | { readonly path: string }
  | {
      /** Default 127.0.0.1. Without `tls` it must be a loopback address. */
      readonly host?: string;
      /** Default 0: a free one. */
      readonly port?: number;
    };

/** A certificate for a port that others reach, in PEM. */
export interface ServerTls {
  readonly certificate: string;
  readonly key: string;
  /** Roots of clients. Where given, clients must show a certificate that one of them signed. */
  readonly clientRoots?: string;
}

/**
 * Binds a gRPC server. A Unix socket is for its user alone (mode 0600).
 * @returns what clients dial: `host:port`, or `unix:/path`
 * @throws TulleError `TULLE_CONFIG_INVALID` for a port in plain text that others can reach
 */
export async function bind(server: Server, at: ListenAt, tls: ServerTls | undefined): Promise<string> {
  const credentials = tls
    ? ServerCredentials.createSsl(
        tls.clientRoots === undefined ? null : Buffer.from(tls.clientRoots),
        [{ cert_chain: Buffer.from(tls.certificate), private_key: Buffer.from(tls.key) }],
        tls.clientRoots !== undefined,
      )
    : ServerCredentials.createInsecure();
  if ('path' in at) {
    await removeStaleSocket(at.path).catch((cause: Error) => {
      throw new TulleError('TULLE_CONFIG_INVALID', cause.message, { cause });
    });
    await bound(server, `unix:${at.path}`, credentials);
    chmodSync(at.path, 0o600);
    return `unix:${at.path}`;
  }
  const host = at.host ?? '127.0.0.1';
  if (!tls && !isLoopback(host))
    throw new TulleError(
      'TULLE_CONFIG_INVALID',
      `An xDS server in plain text listens on loopback only, and ${JSON.stringify(host)} is not: whoever reaches it reads secrets and takes configuration from it. Use 127.0.0.1, ::1 or a Unix socket, or give it tls.`,
    );
  const name = isIP(host) === 6 ? `[${host}]` : host;
  return `${name}:${await bound(server, `${name}:${at.port ?? 0}`, credentials)}`;
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);

async function bound(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) =>
      error
        ? reject(
            new TulleError(
              'TULLE_CONFIG_INVALID',
              `The xDS server cannot listen on ${address}: ${error.message}`,
              {
                cause: error,
              },
            ),
          )
        : resolve(port),
    );
  });
}
