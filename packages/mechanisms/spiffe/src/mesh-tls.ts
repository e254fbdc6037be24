import {
  createSecureContext,
  type ConnectionOptions,
  type SecureContext,
  type TLSSocket,
  type TLSSocketOptions,
} from 'node:tls';
import type { X509Certificate } from 'node:crypto';
import type { IdentitySnapshot, IdentitySource } from '@tulle/model';
import type { PeerRole } from './chain.ts';
import { refusal } from './refusal.ts';
import { sessionCache } from './session-cache.ts';
import {
  createPeerVerifier,
  issuersOf,
  type PeerVerdict,
  type PeerVerifier,
  type VerifiedPeer,
} from './verifier.ts';

export interface MeshTlsOptions {
  readonly identity: IdentitySource;
  /** Wall clock in milliseconds; default `Date.now`. */
  readonly epochMs?: () => number;
  /** Default 20 000 ms, see `PeerVerifierOptions.clockSkewMs`. */
  readonly clockSkewMs?: number;
  /** Default 4096, see `PeerVerifierOptions.maxVerifiedPeers`. */
  readonly maxVerifiedPeers?: number;
  /** Client sessions kept for resumption; default 1024 (about 2 kB each). 0 turns resumption off on the client side. */
  readonly maxSessions?: number;
  /** A snapshot that cannot be used (key and certificate differ, no readable root). The one before stays in use. */
  readonly onBadSnapshot?: (error: Error) => void;
}

/** What changed in a rotation. */
export interface MeshTlsChange {
  readonly generation: number;
  /** SHA-256 of each root that is no longer believed; connections for which `stillTrusted` is false now must end. */
  readonly removedRoots: readonly string[];
}

export interface InboundRequest {
  /** ALPN protocols, preferred first; absent: none is negotiated. */
  readonly alpn?: readonly string[];
  /** The only SPIFFE IDs that may connect, exact or ending in `/*`; absent: any that verifies. */
  readonly expected?: readonly string[];
}

export interface OutboundRequest {
  readonly alpn?: readonly string[];
  /** The only SPIFFE IDs that are accepted at the other end, exact or ending in `/*`; absent: any that verifies. */
  readonly expected?: readonly string[];
  /** Connections that may share TLS sessions have one key, such as the address. Absent: always a full handshake. */
  readonly sessionKey?: string;
  /** Server name sent. Default none: in a mesh the identity is checked, not a name. */
  readonly serverName?: string;
}

/** One handshake to come, with the certificate and roots of this moment. */
export interface Handshake<Options> {
  readonly options: Options;
  /**
   * Says who is at the other end. Call it in the handler of `secure` (accepted sockets) or `secureConnect` (connecting
   * ones), before a byte is read, for resumed sessions too; destroy the socket unless the verdict is `ok`.
   */
  verify(socket: TLSSocket): PeerVerdict;
}

/**
 * Mutual TLS 1.3 for one workload, rotating in place: each new snapshot makes new contexts, with new ticket keys;
 * connections that stand keep theirs. OpenSSL proves that the peer holds its key; who the peer is, `verify` says.
 */
export interface MeshTls {
  /** Counts the snapshots in use; 0 = no identity yet. */
  readonly generation: number;
  /** The identity in use, or undefined before the first. */
  readonly identity: IdentitySnapshot | undefined;
  /** For `new TLSSocket(socket, options)` around an accepted socket. Undefined without an identity: refuse with `no-identity`. */
  inbound(request?: InboundRequest): Handshake<TLSSocketOptions> | undefined;
  /** For `tls.connect({ ...options, socket })`, or with host and port. Undefined without an identity. */
  outbound(request?: OutboundRequest): Handshake<ConnectionOptions> | undefined;
  /** Whether a peer verified earlier still has its root in the bundles. */
  stillTrusted(peer: VerifiedPeer): boolean;
  /** Called after each rotation. Returns the end of it. */
  subscribe(fn: (change: MeshTlsChange) => void): () => void;
  /** Sizes of the bounded tables, for metrics. */
  stats(): { readonly sessions: number; readonly verifiedPeers: number };
  /** Stops following the identity source. Contexts in use stay usable. */
  close(): void;
}

interface Contexts {
  readonly snapshot: IdentitySnapshot;
  readonly server: SecureContext;
  readonly client: SecureContext;
}

const version = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } as const;

/** Makes the mutual TLS of one workload. */
export function createMeshTls(options: MeshTlsOptions): MeshTls {
  const sessions = sessionCache(options.maxSessions ?? 1024);
  const subscribers = new Set<(change: MeshTlsChange) => void>();
  let contexts: Contexts | undefined;
  let verifier: PeerVerifier | undefined;
  let generation = 0;

  const adopt = (snapshot: IdentitySnapshot): void => {
    if (contexts !== undefined && sameSnapshot(contexts.snapshot, snapshot)) return;
    let removedRoots: readonly string[] = [];
    try {
      const next = contextsOf(snapshot, generation + 1);
      if (verifier === undefined) {
        const { epochMs, clockSkewMs, maxVerifiedPeers } = options;
        verifier = createPeerVerifier({
          bundles: snapshot.bundles,
          ...(epochMs === undefined ? {} : { epochMs }),
          ...(clockSkewMs === undefined ? {} : { clockSkewMs }),
          ...(maxVerifiedPeers === undefined ? {} : { maxVerifiedPeers }),
        });
      } else removedRoots = verifier.setBundles(snapshot.bundles);
      contexts = next;
    } catch (error) {
      options.onBadSnapshot?.(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    generation++;
    sessions.clear();
    for (const fn of [...subscribers]) fn({ generation, removedRoots });
  };

  const initial = options.identity.current();
  if (initial !== undefined) adopt(initial);
  const unsubscribe = options.identity.subscribe(adopt);

  const judge = (
    leaf: X509Certificate | undefined,
    role: PeerRole,
    expected: readonly string[] | undefined,
  ): PeerVerdict => {
    if (verifier === undefined) return refusal('no-identity', 'no certificate and no trust bundle yet');
    if (leaf === undefined) return refusal('no-certificate', 'the peer sent no certificate');
    return verifier.verify(leaf, role, () => issuersOf(leaf), expected);
  };

  return {
    get generation() {
      return generation;
    },
    get identity() {
      return contexts?.snapshot;
    },
    inbound(request = {}) {
      if (contexts === undefined) return undefined;
      return {
        options: {
          isServer: true,
          secureContext: contexts.server,
          requestCert: true,
          rejectUnauthorized: false,
          ...(request.alpn === undefined ? {} : { ALPNProtocols: [...request.alpn] }),
        },
        verify: (socket) => judge(socket.getPeerX509Certificate(), 'client', request.expected),
      };
    },
    outbound(request = {}) {
      if (contexts === undefined) return undefined;
      const { sessionKey, expected, alpn } = request;
      const made = generation;
      const kept = sessionKey === undefined ? undefined : sessions.get(sessionKey);
      return {
        options: {
          secureContext: contexts.client,
          rejectUnauthorized: false,
          servername: request.serverName ?? '',
          ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
          ...(kept === undefined ? {} : { session: kept.session }),
        },
        verify(socket) {
          // The resumed peer proved the session's secret, so it is the one that proved the leaf's key before.
          const leaf = socket.isSessionReused() ? kept?.leaf : socket.getPeerX509Certificate();
          const verdict = judge(leaf, 'server', expected);
          if (verdict.ok && leaf !== undefined && sessionKey !== undefined)
            socket.on('session', (session) => {
              if (made === generation) sessions.put(sessionKey, { session, leaf });
            });
          return verdict;
        },
      };
    },
    stillTrusted: (peer) => verifier?.stillTrusted(peer) ?? false,
    subscribe(fn) {
      const own = (change: MeshTlsChange): void => fn(change);
      subscribers.add(own);
      return () => void subscribers.delete(own);
    },
    stats: () => ({ sessions: sessions.size, verifiedPeers: verifier?.size ?? 0 }),
    close: unsubscribe,
  };
}

function contextsOf(snapshot: IdentitySnapshot, generation: number): Contexts {
  const { certificateChainPem: cert, privateKeyPem: key } = snapshot.svid;
  // A context of its own for each side and generation: OpenSSL makes new random ticket keys with each.
  return {
    snapshot,
    server: createSecureContext({ ...version, cert, key, sessionIdContext: `tulle-${generation}` }),
    client: createSecureContext({ ...version, cert, key }),
  };
}

function sameSnapshot(a: IdentitySnapshot, b: IdentitySnapshot): boolean {
  const roots = (snapshot: IdentitySnapshot): string =>
    snapshot.bundles
      .map((bundle) => `${bundle.trustDomain}\n${[...bundle.rootsPem].sort().join('')}`)
      .sort()
      .join('\n');
  return (
    a === b ||
    (a.svid.certificateChainPem === b.svid.certificateChainPem &&
      a.svid.privateKeyPem === b.svid.privateKeyPem &&
      roots(a) === roots(b))
  );
}
