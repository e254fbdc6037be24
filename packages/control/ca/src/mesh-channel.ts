import { experimental, type ChannelCredentials, type ChannelOptions } from '@grpc/grpc-js';
import type { IdentitySource, TrustBundle } from '@tulle/model';
import {
  controlPlaneId,
  createPeerVerifier,
  type PeerVerifier,
  type RefusalReason,
  type VerifiedPeer,
} from '@tulle/spiffe';

/** Thrown inside a channel when the server is not the one that was expected; grpc-js reports it as UNAVAILABLE. */
export class ServerRefusedError extends Error {
  readonly code = 'TULLE_CA_SERVER_REFUSED';
  readonly reason: RefusalReason;
  constructor(reason: RefusalReason, message: string) {
    super(message);
    this.name = 'ServerRefusedError';
    this.reason = reason;
  }
}

export interface MeshChannel {
  readonly credentials: ChannelCredentials;
  /** To be merged into the channel's options. */
  readonly options: ChannelOptions;
  /**
   * Told when the root that the server of this channel's connection proved to be below is believed no more: calls on the
   * channel must end. (gRPC itself looks at certificates only in handshakes.)
   */
  onUntrusted(listener: () => void): void;
  /** Stops following the identity. */
  close(): void;
}

export interface MeshChannelOptions {
  readonly identity: IdentitySource;
  /** Ids the server may prove; default the control plane's of the trust domain in use. */
  readonly expected?: readonly string[];
  readonly epochMs?: () => number;
}

type Provider = experimental.CertificateProvider;

/**
 * gRPC credentials for mutual TLS that follow an identity: each new connection uses the newest certificate and roots,
 * streams that stand are not touched. The server must prove `expected`, whatever host name it is reached by.
 *
 * This is the one place that uses grpc-js's experimental certificate providers (decision D19). They may change in any
 * release, so the catalog pins grpc-js to one version: raise it together with a run of this package's tests.
 */
export function meshChannel(trustDomain: string, options: MeshChannelOptions): MeshChannel {
  const { identity } = options;
  const followed = followIdentity(identity, options.epochMs ?? Date.now);
  const expected = options.expected ?? [controlPlaneId(trustDomain)];
  return {
    credentials: experimental.createCertificateProviderChannelCredentials(
      followed.provider,
      followed.provider,
      {
        checkServerIdentity: (_host, certificate) => followed.judge(chainOf(certificate), expected),
      },
    ),
    options: channelOptions,
    onUntrusted: (listener) => void followed.untrusted.add(listener),
    close: () => followed.close(),
  };
}

/** Credentials without a client certificate, for the call that gets the first one: only the roots are known. */
export function joiningChannel(
  trustDomain: string,
  bundle: TrustBundle,
  epochMs: () => number = Date.now,
): MeshChannel {
  const verifier = createPeerVerifier({ bundles: [bundle], epochMs });
  const provider: Provider = {
    addCaCertificateListener: (listener) =>
      process.nextTick(listener, { caCertificate: Buffer.from(bundle.rootsPem.join('')) }),
    removeCaCertificateListener: () => undefined,
    addIdentityCertificateListener: () => undefined,
    removeIdentityCertificateListener: () => undefined,
  };
  return {
    credentials: experimental.createCertificateProviderChannelCredentials(provider, null, {
      checkServerIdentity: (_host, certificate) =>
        errorOf(judge(verifier, chainOf(certificate), [controlPlaneId(trustDomain)])),
    }),
    options: channelOptions,
    onUntrusted: () => undefined, // it lives for one call, with the one root that it was made for
    close: () => undefined,
  };
}

const channelOptions: ChannelOptions = {
  // Servers are known by SPIFFE ID. A name keeps an IP address out of SNI, which RFC 6066 forbids.
  'grpc.ssl_target_name_override': 'control-plane.tulle.internal',
  // A control plane that is frozen or cut off is noticed within half a minute, and the stream is opened anew.
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.keepalive_permit_without_calls': 1,
  // The callers have their own backoff with jitter; the channel's must not add minutes to it.
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 5_000,
};

function followIdentity(
  identity: IdentitySource,
  epochMs: () => number,
): {
  provider: Provider;
  judge(chain: readonly Buffer[], expected: readonly string[]): Error | undefined;
  readonly untrusted: Set<() => void>;
  close(): void;
} {
  type CaListener = Parameters<Provider['addCaCertificateListener']>[0];
  type IdentityListener = Parameters<Provider['addIdentityCertificateListener']>[0];
  const caListeners = new Set<CaListener>();
  const identityListeners = new Set<IdentityListener>();
  let verifier: PeerVerifier | undefined;
  /** Of the latest connection. */
  let server: VerifiedPeer | undefined;
  const untrusted = new Set<() => void>();

  const tellCa = (listener: CaListener): void => {
    const snapshot = identity.current();
    if (snapshot === undefined) return;
    listener({ caCertificate: Buffer.from(snapshot.bundles.flatMap((bundle) => bundle.rootsPem).join('')) });
  };
  const tellIdentity = (listener: IdentityListener): void => {
    const snapshot = identity.current();
    if (snapshot === undefined) return;
    listener({
      certificate: Buffer.from(snapshot.svid.certificateChainPem),
      privateKey: Buffer.from(snapshot.svid.privateKeyPem),
    });
  };
  const renewVerifier = (): void => {
    const snapshot = identity.current();
    if (snapshot === undefined) return;
    if (verifier === undefined) verifier = createPeerVerifier({ bundles: snapshot.bundles, epochMs });
    else verifier.setBundles(snapshot.bundles);
    if (server === undefined || verifier.stillTrusted(server)) return;
    server = undefined;
    for (const listener of [...untrusted]) listener();
  };
  renewVerifier();
  const unsubscribe = identity.subscribe(() => {
    renewVerifier();
    for (const listener of caListeners) tellCa(listener);
    for (const listener of identityListeners) tellIdentity(listener);
  });
  return {
    provider: {
      addCaCertificateListener(listener) {
        caListeners.add(listener);
        process.nextTick(() => tellCa(listener));
      },
      removeCaCertificateListener: (listener) => void caListeners.delete(listener),
      addIdentityCertificateListener(listener) {
        identityListeners.add(listener);
        process.nextTick(() => tellIdentity(listener));
      },
      removeIdentityCertificateListener: (listener) => void identityListeners.delete(listener),
    },
    judge(chain, expected) {
      if (verifier === undefined) return new ServerRefusedError('no-identity', 'no trust bundle yet');
      const judged = judge(verifier, chain, expected);
      if (judged instanceof Error) return judged;
      server = judged;
      return undefined;
    },
    untrusted,
    close: unsubscribe,
  };
}

function judge(
  verifier: PeerVerifier,
  chain: readonly Buffer[],
  expected: readonly string[],
): VerifiedPeer | Error {
  const [leaf, ...others] = chain;
  if (leaf === undefined) return new ServerRefusedError('no-certificate', 'the server sent no certificate');
  const verdict = verifier.verify(leaf, 'server', () => others, expected);
  return verdict.ok
    ? verdict
    : new ServerRefusedError(
        verdict.reason,
        `the server was not believed: ${verdict.reason}: ${verdict.detail}`,
      );
}

/** As Node's `checkServerIdentity` says it. */
const errorOf = (judged: VerifiedPeer | Error): Error | undefined =>
  judged instanceof Error ? judged : undefined;

/** A legacy certificate object's chain, leaf first. The root points to itself. */
interface LinkedCertificate {
  readonly raw: Buffer;
  readonly issuerCertificate?: LinkedCertificate;
}

function chainOf(certificate: LinkedCertificate): Buffer[] {
  const chain: Buffer[] = [];
  const seen = new Set<LinkedCertificate>();
  for (
    let next: LinkedCertificate | undefined = certificate;
    next !== undefined && !seen.has(next) && chain.length < 8;
    next = next.issuerCertificate
  ) {
    seen.add(next);
    chain.push(next.raw);
  }
  return chain;
}
