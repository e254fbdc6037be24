import type { Socket } from 'node:net';
import { createServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { constants } from 'node:crypto';
import { ServerCredentials, type Server } from '@grpc/grpc-js';
import type { IdentitySnapshot, IdentitySource } from '@tulle/model';
import {
  createPeerVerifier,
  issuersOf,
  parseSpiffeId,
  refusal,
  refusalOfError,
  type PeerVerifier,
  type Refusal,
  type VerifiedPeer,
} from '@tulle/spiffe';
import type { ConnectionCalls } from './connection-calls.ts';
import { StoreError } from './errors.ts';

/** The part of a grpc-js server call that tells who called. */
export interface GrpcCall {
  getAuthContext(): { readonly sslPeerCertificate?: { readonly raw: Buffer } | undefined };
}

export interface MeshGrpcServerOptions {
  /** What this server proves: the control plane's own identity (`localIdentity`). It must have one already. */
  readonly identity: IdentitySource;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 0: a free port. */
  readonly port?: number;
  /** `optional` (default): a client without a certificate may connect, as one that joins must; what it may call the services decide. */
  readonly clientCertificate?: 'optional' | 'required';
  /** Wall clock in milliseconds; default `Date.now`. */
  readonly epochMs?: () => number;
  /** Handshakes that take longer are ended; default 10 000 ms. */
  readonly handshakeTimeoutMs?: number;
  /** Connections held at once; default 10 000. Past it new ones are closed at accept. */
  readonly maxConnections?: number;
  /** Connections without a certificate held at once: joining takes one for a moment. Default 256; past it they are refused. */
  readonly maxUnauthenticated?: number;
  /** A connection without a certificate is ended after this long. Default 60,000: joining takes a round trip or two. */
  readonly unauthenticatedLifetimeMs?: number;
  /**
   * A connection without a call is ended after this long. Default 60,000: sidecars hold their streams open, so one without
   * is forgotten or worse. Needs {@link MeshGrpcServerOptions.calls}.
   */
  readonly idleTimeoutMs?: number;
  /** Tells which connections have calls: of the interceptor that `server` was made with. */
  readonly calls?: ConnectionCalls;
  /** A connection that was not believed, with its reason. Must not throw. */
  readonly onRefused?: (refused: Refusal & { readonly remoteAddress: string }) => void;
  /** A snapshot that could not be used; the server keeps the one before. Must not throw. */
  readonly onBadSnapshot?: (error: Error) => void;
}

/** Connections now, and what bounds did to others so far. */
export interface MeshGrpcServerStats {
  readonly connections: number;
  /** Of them, those without a certificate. */
  readonly unauthenticated: number;
  /** Turned away at `maxConnections`. */
  readonly dropped: number;
  /** Turned away at `maxUnauthenticated`. */
  readonly unauthenticatedDropped: number;
  /** Ended by `unauthenticatedLifetimeMs`. */
  readonly unauthenticatedExpired: number;
  /** Ended by `idleTimeoutMs`. */
  readonly idleEnded: number;
}

export interface MeshGrpcServer {
  readonly port: number;
  stats(): MeshGrpcServerStats;
  /** The SPIFFE ID that the caller of a gRPC call proved, checked again now; undefined for a caller without one. */
  readonly callerIdentity: (call: GrpcCall) => string | undefined;
  /** Stops listening, lets calls finish for `graceMs` (default 0), then ends the connections. */
  close(graceMs?: number): Promise<void>;
}

/**
 * Serves a grpc-js server over mutual TLS 1.3 whose own certificate rotates without touching open connections.
 *
 * The TLS server is Node's own; verified connections are handed to grpc-js by its connection injector. So a new leaf is
 * one `setSecureContext`, no experimental part of grpc-js is needed, a certificate that is shown must be good before a
 * byte of HTTP/2 is read, and connections end when their root is removed.
 */
export async function serveMeshGrpc(server: Server, options: MeshGrpcServerOptions): Promise<MeshGrpcServer> {
  const { identity } = options;
  const epochMs = options.epochMs ?? Date.now;
  const first = identity.current();
  if (first === undefined)
    throw new StoreError('the gRPC server has no certificate yet; wait for its identity before serving');
  const verifier: PeerVerifier = createPeerVerifier({ bundles: first.bundles, epochMs });
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const open = new Map<TLSSocket, VerifiedPeer | undefined>();
  /** All that were accepted, those whose handshake is not done too: they hold the listener open. */
  const accepted = new Set<Socket>();
  const maxUnauthenticated = options.maxUnauthenticated ?? 256;
  let dropped = 0;
  let unauthenticated = 0;
  let unauthenticatedDropped = 0;
  let unauthenticatedExpired = 0;
  let idleEnded = 0;

  /** Ends a connection that proved nothing, however busy it is. */
  const boundUnauthenticated = (socket: TLSSocket): void => {
    unauthenticated += 1;
    const timer = setTimeout(() => {
      unauthenticatedExpired += 1;
      socket.destroy();
    }, options.unauthenticatedLifetimeMs ?? 60_000);
    socket.once('close', () => {
      unauthenticated -= 1;
      clearTimeout(timer);
    });
  };

  /** Ends a connection on which nobody calls. */
  const boundIdle = (socket: TLSSocket, calls: ConnectionCalls): void => {
    const begin = (): NodeJS.Timeout =>
      setTimeout(() => {
        idleEnded += 1;
        socket.destroy();
      }, options.idleTimeoutMs ?? 60_000);
    let timer: NodeJS.Timeout | undefined = begin();
    const stop = calls.watch(`${socket.remoteAddress}:${socket.remotePort}`, (open) => {
      clearTimeout(timer);
      timer = open === 0 ? begin() : undefined;
    });
    socket.once('close', () => {
      stop();
      clearTimeout(timer);
    });
  };

  const refuse = (socket: TLSSocket | undefined, refused: Refusal, remoteAddress: string): void => {
    options.onRefused?.({ ...refused, remoteAddress });
    socket?.destroy();
  };

  const listener: TlsServer = createServer({
    ...contextOf(first),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    handshakeTimeout: options.handshakeTimeoutMs ?? 10_000,
  });
  listener.maxConnections = options.maxConnections ?? 10_000;
  listener.on('drop', () => dropped++);
  listener.on('connection', (raw: Socket) => {
    accepted.add(raw);
    raw.once('close', () => accepted.delete(raw));
  });
  listener.on('tlsClientError', (error, socket) =>
    refuse(undefined, refusalOfError(error), socket.remoteAddress ?? 'unknown'),
  );
  listener.on('secureConnection', (socket) => {
    const from = socket.remoteAddress ?? 'unknown';
    // Before HTTP/2 has the socket, and for resets that it does not report, an error must not end the process.
    socket.on('error', () => undefined);
    const leaf = socket.getPeerX509Certificate();
    let peer: VerifiedPeer | undefined;
    if (leaf === undefined) {
      if (options.clientCertificate === 'required')
        return refuse(socket, refusal('no-certificate', 'the client sent no certificate'), from);
      if (unauthenticated >= maxUnauthenticated) {
        unauthenticatedDropped += 1;
        return void socket.destroy();
      }
      boundUnauthenticated(socket);
    } else {
      const verdict = verifier.verify(leaf, 'client', () => issuersOf(leaf));
      if (!verdict.ok) return refuse(socket, verdict, from);
      // OpenSSL was given no roots, so that there is one judge only. grpc-js shows services the certificate of an
      // authorized socket, which this one is now.
      socket.authorized = true;
      peer = verdict;
    }
    if (socket.alpnProtocol !== 'h2')
      return refuse(
        socket,
        refusal('handshake-failed', 'the client did not offer HTTP/2 by ALPN', peer?.spiffeId),
        from,
      );
    open.set(socket, peer);
    socket.once('close', () => open.delete(socket));
    if (options.calls !== undefined) boundIdle(socket, options.calls);
    injector.injectConnection(socket);
  });

  const unsubscribe = identity.subscribe((snapshot) => {
    try {
      listener.setSecureContext(contextOf(snapshot));
      verifier.setBundles(snapshot.bundles);
    } catch (error) {
      options.onBadSnapshot?.(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    for (const [socket, peer] of open)
      if (peer !== undefined && !verifier.stillTrusted(peer)) socket.destroy();
  });

  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen({ host: options.host ?? '127.0.0.1', port: options.port ?? 0 }, () => {
      listener.off('error', reject);
      resolve();
    });
  });
  const address = listener.address();

  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    stats: () => ({
      connections: open.size,
      unauthenticated,
      dropped,
      unauthenticatedDropped,
      unauthenticatedExpired,
      idleEnded,
    }),
    callerIdentity(call) {
      const certificate = call.getAuthContext().sslPeerCertificate;
      if (certificate === undefined) return undefined;
      const verdict = verifier.verify(certificate.raw, 'client');
      return verdict.ok ? verdict.spiffeId : undefined;
    },
    close(graceMs = 0) {
      unsubscribe();
      injector.drain(graceMs);
      const ended = new Promise<void>((resolve) => listener.close(() => resolve()));
      const timer = setTimeout(() => {
        for (const socket of open.keys()) socket.destroy();
        for (const socket of accepted) socket.destroy();
      }, graceMs);
      return ended.then(() => {
        clearTimeout(timer);
        injector.destroy();
      });
    },
  };
}

/** The roots are sent too: a client that joins knows only the hash of a root's key and finds it there. */
function contextOf(snapshot: IdentitySnapshot): {
  cert: string;
  key: string;
  minVersion: 'TLSv1.3';
  secureOptions: number;
} {
  const { trustDomain } = parseSpiffeId(snapshot.svid.spiffeId);
  const own = snapshot.bundles.filter((bundle) => bundle.trustDomain === trustDomain);
  return {
    cert: snapshot.svid.certificateChainPem + own.flatMap((bundle) => bundle.rootsPem).join(''),
    key: snapshot.svid.privateKeyPem,
    minVersion: 'TLSv1.3',
    // Connections here live for hours: no tickets, so every one is a full handshake.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
