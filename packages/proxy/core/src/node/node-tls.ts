import { connect as netConnect, isIP, Socket as NetSocket } from 'node:net';
import {
  checkServerIdentity,
  connect as tlsConnect,
  TLSSocket,
  type ConnectionOptions,
  type TLSSocketOptions,
} from 'node:tls';
import {
  isUnixAddress,
  type Address,
  type DownstreamTls,
  type IdentitySource,
  type TlsParameters,
  type UpstreamTls,
} from '@tulle/model';
import {
  createMeshTls,
  refusal,
  refusalHints,
  spiffeIdMatches,
  type MeshTls,
  type Refusal,
  type VerifiedPeer,
} from '@tulle/spiffe';
import { keepPeerCertificate, ownCertificate, peerCertificate } from './peer-certificate.ts';
import type { CertificateInfo, ClientTls, ConnectOptions, ServerTls, Socket, SocketFault } from '../ports.ts';
import { connectInside, type OpenSocket } from './network-sockets.ts';
import { setKeepalive } from './keepalive.ts';
import { describePem, LoadedCertificates, type CertificateSetup } from './loaded-certificates.ts';
import { NodeSocket } from './node-socket.ts';
import { duplexOver } from './socket-duplex.ts';
import { ExpectedPeer, type Verdict } from './verify-peer.ts';

/** Default of `certificateWatchMs`. */
const WATCH_INTERVAL_MS = 5_000;

/** What a handshake needs, with the certificates of this moment. */
interface Ready<Options> {
  readonly options: Options;
  verify(socket: TLSSocket): Verdict;
}

/** TLS of one transport: mesh identities by `@tulle/spiffe`, other certificates by Node. */
export class NodeTls {
  readonly identity: IdentitySource | undefined;
  readonly #onError: (message: string) => void;
  readonly #watchMs: number;
  readonly #openSocket: OpenSocket | undefined;
  #mesh: MeshTls | undefined;
  /** Secured connections by what their peer proved, so that they end when its root is not believed any more. */
  readonly #peers: Map<NodeSocket, VerifiedPeer> = new Map<NodeSocket, VerifiedPeer>();
  readonly #sources: Set<LoadedCertificates> = new Set<LoadedCertificates>();

  constructor(
    identity: IdentitySource | undefined,
    onError: (message: string) => void,
    watchMs: number = WATCH_INTERVAL_MS,
    openSocket?: OpenSocket,
  ) {
    this.#openSocket = openSocket;
    this.identity = identity;
    this.#onError = onError;
    this.#watchMs = watchMs;
  }

  mesh(): MeshTls {
    if (this.#mesh !== undefined) return this.#mesh;
    if (this.identity === undefined)
      throw new Error(
        'TLS with a workload certificate or mesh trust needs an identity: give createProxy({ identity })',
      );
    const mesh = createMeshTls({
      identity: this.identity,
      onBadSnapshot: (error) =>
        this.#onError(`the new identity cannot be used, the one before stays: ${error.message}`),
    });
    mesh.subscribe(({ removedRoots }) => {
      if (removedRoots.length === 0) return;
      for (const [socket, peer] of [...this.#peers]) {
        if (!mesh.stillTrusted(peer))
          socket.refuse(
            faultOfRefusal(
              refusal('unknown-issuer', `the root of ${peer.spiffeId} is not believed any more`),
            ),
          );
      }
    });
    return (this.#mesh = mesh);
  }

  server(config: DownstreamTls): ServerTls {
    return new NodeServerTls(this, config);
  }

  client(config: UpstreamTls): ClientTls {
    return new NodeClientTls(this, config);
  }

  load(parts: Omit<CertificateSetup, 'workload'>): LoadedCertificates {
    const mesh = parts.certificates.some(({ kind }) => kind === 'workload') ? this.mesh() : undefined;
    const setup = { ...parts, workload: () => mesh?.identity?.svid };
    const loaded = new LoadedCertificates(setup, this.#watchMs, this.#onError, () => {
      stop?.();
      this.#sources.delete(loaded);
    });
    const stop = mesh?.subscribe(() => loaded.refresh());
    this.#sources.add(loaded);
    return loaded;
  }

  secure(plain: Socket, tls: ServerTls, firstBytes: Buffer | undefined): Socket {
    const own = plain instanceof NodeSocket;
    // A stream is all that TLS needs, and that Node does nothing else with it; the types ask for more.
    const raw = own ? plain.release() : (duplexOver(plain, firstBytes) as NetSocket);
    const ready = (tls as NodeServerTls).ready();
    const socket = new NodeSocket(false, true);
    socket.remoteAddress = plain.remoteAddress;
    socket.remotePort = plain.remotePort;
    socket.localAddress = plain.localAddress;
    socket.localPort = plain.localPort;
    if (ready === undefined) {
      socket.attach(raw, false);
      socket.refuse(faultOfRefusal(refusal('no-identity', 'this proxy has no certificate yet')));
      return socket;
    }
    raw.pause();
    if (own && firstBytes !== undefined && firstBytes.length > 0) raw.unshift(firstBytes);
    raw.on('error', () => {}); // told through the TLS socket
    const secured = new TLSSocket(raw, { ...ready.options, isServer: true });
    secured.allowHalfOpen = true;
    socket.attach(secured, false);
    raw.once('close', () => secured.destroy());
    secured.once('secure', () => this.#judge(socket, secured, ready));
    return socket;
  }

  connect(address: Address, tls: ClientTls, given: ConnectOptions): Socket {
    const ready = (tls as NodeClientTls).ready(address, given);
    const target = isUnixAddress(address)
      ? { path: address.path }
      : { host: address.host, port: address.port };
    if (ready === undefined || 'ok' in ready) {
      given.over?.destroy();
      const never = new NodeSocket(false);
      never.attach(new NetSocket(), false);
      setImmediate(() =>
        never.refuse(faultOfRefusal(ready ?? refusal('no-identity', 'this proxy has no certificate yet'))),
      );
      return never;
    }
    const inside =
      given.over === undefined ? this.#plainSocket(address, given) : (duplexOver(given.over) as NetSocket);
    if (given.over !== undefined && given.preface !== undefined) inside?.write(given.preface);
    // Over a socket that is there already TLS reads into buffers of its own.
    const socket = new NodeSocket(inside === undefined, true);
    // The types leave out what tls.connect passes on to net.Socket.
    const options: ConnectionOptions & {
      readonly allowHalfOpen: boolean;
      readonly onread: unknown;
      readonly localAddress?: string;
    } = {
      ...ready.options,
      ...(inside === undefined ? target : { socket: inside }),
      ...(given.sourceAddress === undefined ? {} : { localAddress: given.sourceAddress }),
      allowHalfOpen: true,
      onread: socket.onread,
    };
    const secured = tlsConnect(options);
    inside?.on('error', (error) => secured.destroy(error));
    if (given.over === undefined) secured.setNoDelay(true);
    if (given.over === undefined && given.keepalive !== undefined) setKeepalive(secured, given.keepalive);
    socket.attach(secured, false);
    secured.once('secureConnect', () => {
      keepPeerCertificate(secured);
      this.#judge(socket, secured, ready);
    });
    return socket;
  }

  /** Where TLS cannot make the socket itself: in another network, or where something is said before it. */
  #plainSocket(address: Address, { network, preface, sourceAddress }: ConnectOptions): NetSocket | undefined {
    const raw =
      network !== undefined && !isUnixAddress(address)
        ? connectInside(this.#openSocket, address, network, { allowHalfOpen: true })
        : preface === undefined
          ? undefined
          : netConnect({
              ...(isUnixAddress(address)
                ? { path: address.path }
                : { host: address.host, port: address.port }),
              ...(sourceAddress === undefined ? {} : { localAddress: sourceAddress }),
              allowHalfOpen: true,
              noDelay: true,
            });
    if (preface !== undefined) raw?.write(preface);
    return raw;
  }

  #judge(socket: NodeSocket, secured: TLSSocket, ready: Ready<unknown>): void {
    const verdict = verdictOf(ready, secured);
    if (!verdict.ok) return socket.refuse(faultOfRefusal(verdict));
    if ('rootFingerprint' in verdict) {
      this.#peers.set(socket, verdict);
      secured.once('close', () => this.#peers.delete(socket));
    }
    socket.ready({
      identity: verdict.spiffeId,
      serverName: serverNameOf(secured),
      alpn: typeof secured.alpnProtocol === 'string' ? secured.alpnProtocol : undefined,
      certificate: () =>
        'unproven' in verdict && verdict.unproven === true ? undefined : peerCertificate(secured),
      own: () => ownCertificate(secured),
      version: secured.getProtocol() ?? '',
      cipher: secured.getCipher().name,
    });
  }

  certificates(): CertificateInfo[] {
    const list = [...this.#sources].flatMap((source) => source.describe());
    const snapshot = this.#mesh?.identity;
    if (snapshot !== undefined) {
      list.push(...describePem(snapshot.svid.certificateChainPem, 'workload'));
      for (const bundle of snapshot.bundles)
        for (const pem of bundle.rootsPem) list.push(...describePem(pem, 'trust'));
    }
    return list;
  }

  close(): void {
    this.#mesh?.close();
    for (const source of [...this.#sources]) source.close();
  }
}

export class NodeServerTls implements ServerTls {
  readonly owner: NodeTls;
  readonly #config: DownstreamTls;
  readonly #loaded: LoadedCertificates | undefined;
  readonly #expected: ExpectedPeer;
  readonly #mode: 'require' | 'accept' | 'any' | 'none';

  constructor(tls: NodeTls, config: DownstreamTls) {
    const { certificate, moreCertificates = [], trust } = config;
    this.owner = tls;
    this.#config = config;
    this.#mode = config.clientCertificate ?? (trust === undefined ? 'none' : 'require');
    if (this.#mode !== 'none' && trust === undefined)
      throw new Error(`clientCertificate is ${this.#mode} but nothing says whom to trust; add trust`);
    if (this.#mode === 'any' && trust?.kind === 'mesh')
      throw new Error('clientCertificate is any, but peers of the mesh prove who they are; use accept');
    const certificates = [certificate, ...moreCertificates];
    if (moreCertificates.length > 0 && certificates.some(({ kind }) => kind === 'workload'))
      throw new Error('moreCertificates cannot stand beside a workload certificate, nor have one');
    if (certificate.kind === 'workload' || trust?.kind === 'mesh') tls.mesh();
    if (trust?.kind === 'mesh') checkMesh(config);
    this.#expected = new ExpectedPeer(config, true);
    this.#loaded =
      certificate.kind === 'workload' && (trust === undefined || trust.kind === 'mesh')
        ? undefined
        : tls.load({ certificates, trust, parameters: config });
    if (config.sessionTicketKey !== undefined && this.#loaded === undefined)
      throw new Error(
        'sessionTicketKey is not for mesh TLS, whose tickets end with the roots that they rely on',
      );
  }

  ready(): Ready<TLSSocketOptions> | undefined {
    const { trust, allowedIds } = this.#config;
    const usesMesh = this.#config.certificate.kind === 'workload' || trust?.kind === 'mesh';
    const mesh = usesMesh
      ? this.owner.mesh().inbound({
          alpn: this.#config.alpn ?? ['http/1.1'],
          ...(allowedIds === undefined ? {} : { expected: allowedIds }),
        })
      : undefined;
    if (mesh === undefined && usesMesh) return undefined;
    const loaded = this.#loaded;
    const options: TLSSocketOptions = {
      ...mesh?.options,
      ...(loaded === undefined ? {} : { secureContext: loaded.context }),
      ...(loaded?.several === true && {
        SNICallback: (name, done) => done(null, loaded.contextFor(name)),
      }),
      isServer: true,
      requestCert: this.#mode !== 'none',
      rejectUnauthorized: false,
      ALPNProtocols: [...(this.#config.alpn ?? ['http/1.1'])],
    };
    return { options, verify: (socket) => this.#verify(socket, mesh) };
  }

  #verify(socket: TLSSocket, mesh: Ready<unknown> | undefined): Verdict {
    if (this.#config.requireServerName === true && !serverNameOf(socket))
      return refusal('handshake-failed', 'the caller said no server name, and requireServerName is set');
    if (this.#mode === 'none') return { ok: true };
    // The peer's chain can be taken from the socket once only: a second call gives it without its first certificate.
    const verdict =
      this.#config.trust?.kind === 'mesh' && mesh !== undefined
        ? mesh.verify(socket)
        : this.#expected.verify(socket, this.#config.allowedIds);
    if (verdict.ok || this.#mode === 'require') return verdict;
    if (this.#mode === 'any') return { ok: true, unproven: true };
    return verdict.reason === 'no-certificate' ? { ok: true } : verdict;
  }

  close(): void {
    this.#loaded?.close();
  }
}

export class NodeClientTls implements ClientTls {
  readonly owner: NodeTls;
  readonly #config: UpstreamTls;
  readonly #loaded: LoadedCertificates | undefined;
  readonly #expected: ExpectedPeer;

  constructor(tls: NodeTls, config: UpstreamTls) {
    const { certificate, trust } = config;
    this.owner = tls;
    this.#config = config;
    if (certificate?.kind === 'workload' || trust.kind === 'mesh') tls.mesh();
    if (trust.kind === 'mesh') checkMesh(config);
    this.#expected = new ExpectedPeer(config, trust.kind !== 'none');
    this.#loaded =
      certificate?.kind === 'workload' && trust.kind === 'mesh'
        ? undefined
        : tls.load({
            certificates: certificate === undefined ? [] : [certificate],
            trust,
            parameters: config,
          });
  }

  ready(
    address: Address,
    {
      expectedIdentity,
      serverName: ownName,
      verifyServerName = false,
      alpn: otherwise,
      onlyAlpn,
      hostname,
    }: ConnectOptions,
  ): Ready<ConnectionOptions> | Refusal | undefined {
    const { trust, allowedIds } = this.#config;
    const { serverNameFromHost: fromHost = false } = this.#config;
    const serverName = ownName ?? (fromHost ? hostname : undefined) ?? this.#config.serverName;
    const alpn = onlyAlpn ?? this.#config.alpn ?? otherwise;
    const usesMesh = this.#config.certificate?.kind === 'workload' || trust.kind === 'mesh';
    const expected = expectedIdentity === undefined ? allowedIds : [expectedIdentity];
    if (
      expectedIdentity !== undefined &&
      allowedIds !== undefined &&
      !allowedIds.some((pattern) => spiffeIdMatches(expectedIdentity, pattern))
    ) {
      return refusal(
        'unexpected-identity',
        `the endpoint's expected id ${expectedIdentity} is not among the cluster's allowedIds`,
      );
    }
    if (trust.kind === 'mesh' && expected === undefined) {
      return refusal(
        'unexpected-identity',
        'neither the endpoint nor the cluster says which SPIFFE id is expected there; set endpoint.identity or tls.allowedIds',
      );
    }
    const sessionKey =
      this.#config.sessionResumption === false
        ? undefined
        : `${isUnixAddress(address) ? address.path : `${address.host}:${address.port}`} ${expected?.join(' ') ?? ''}`;
    const mesh = usesMesh
      ? this.owner.mesh().outbound({
          ...(alpn === undefined ? {} : { alpn }),
          ...(expected === undefined ? {} : { expected }),
          ...(sessionKey === undefined ? {} : { sessionKey }),
          ...(serverName === undefined ? {} : { serverName }),
        })
      : undefined;
    if (usesMesh && mesh === undefined) return undefined;
    if (trust.kind === 'mesh' && mesh !== undefined && this.#config.certificate?.kind === 'workload')
      return mesh;
    const name = serverName ?? (isUnixAddress(address) || isIP(address.host) !== 0 ? '' : address.host);
    const options: ConnectionOptions = {
      secureContext: this.#loaded?.context,
      // An address is no server name (RFC 6066 §3), but may be what the peer has to prove.
      servername: isIP(name) === 0 ? name : '',
      rejectUnauthorized: false,
      checkServerIdentity:
        verifyServerName || this.#verifiesName(expected)
          ? (host, certificate) => checkServerIdentity(name || host, certificate)
          : () => undefined,
      ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
    };
    return {
      options,
      verify: (socket) =>
        trust.kind === 'mesh' && mesh !== undefined
          ? mesh.verify(socket)
          : this.#expected.verify(socket, expected),
    };
  }

  /** Where something else says who is expected, that decides, not the name in the address. */
  #verifiesName(expected: readonly string[] | undefined): boolean {
    const { trust, verifyName, subjectAltNames, certificateHashes, publicKeyHashes } = this.#config;
    if (trust.kind === 'none' || trust.kind === 'mesh') return false;
    return verifyName ?? (expected ?? subjectAltNames ?? certificateHashes ?? publicKeyHashes) === undefined;
  }

  close(): void {
    this.#loaded?.close();
  }
}

/** What cannot be judged is not believed: a peer's certificate may be anything, and must not end the process. */
function verdictOf(ready: Ready<unknown>, secured: TLSSocket): Verdict {
  try {
    return ready.verify(secured);
  } catch (error) {
    return refusal('handshake-failed', `the peer's certificate cannot be read: ${String(error)}`);
  }
}

/** What mesh trust has no use for, and would leave undone. @throws Error that names it */
function checkMesh(config: TlsParameters): void {
  for (const field of [
    'subjectAltNames',
    'certificateHashes',
    'publicKeyHashes',
    'curves',
    'signatureAlgorithms',
  ] as const)
    if (config[field] !== undefined)
      throw new Error(`${field} is not for mesh trust, which goes by SPIFFE ids and takes TLS as it is`);
  if (config.maxVersion === 'TLSv1.2') throw new Error('maxVersion must be TLSv1.3 with mesh trust');
}

function serverNameOf(socket: TLSSocket): string | undefined {
  const { servername } = socket as { servername?: unknown };
  return typeof servername === 'string' && servername !== '' ? servername.toLowerCase() : undefined;
}

function faultOfRefusal({ reason, detail }: Refusal): SocketFault {
  return {
    kind: reason === 'unexpected-identity' ? 'identity' : 'tls',
    reason,
    message: `${detail}: ${refusalHints[reason]}`,
  };
}
