import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { isIP, Socket as NetSocket } from 'node:net';
import {
  connect as tlsConnect,
  createSecureContext,
  rootCertificates,
  TLSSocket,
  type ConnectionOptions,
  type SecureContext,
  type TLSSocketOptions,
} from 'node:tls';
import {
  isUnixAddress,
  type Address,
  type CertificateSource,
  type DownstreamTls,
  type IdentitySource,
  type TrustSource,
  type UpstreamTls,
} from '@tulle/model';
import {
  createMeshTls,
  readCertificate,
  certificatesOfPem,
  parseSpiffeId,
  refusal,
  refusalHints,
  spiffeIdMatches,
  type MeshTls,
  type PeerVerdict,
  type Refusal,
  type VerifiedPeer,
} from '@tulle/spiffe';
import type { CertificateInfo, ClientTls, ServerTls, Socket, SocketFault } from '../ports.ts';
import { NodeSocket } from './node-socket.ts';

/** Default of `certificateWatchMs`. */
const WATCH_INTERVAL_MS = 5_000;

/** What a handshake needs, with the certificates of this moment. */
interface Ready<Options> {
  readonly options: Options;
  verify(socket: TLSSocket): PeerVerdict | { readonly ok: true; readonly spiffeId?: undefined };
}

/** TLS of one transport: mesh identities by `@tulle/spiffe`, other certificates by Node. */
export class NodeTls {
  readonly #identity: IdentitySource | undefined;
  readonly #onError: (message: string) => void;
  readonly #watchMs: number;
  #mesh: MeshTls | undefined;
  /** Secured connections by what their peer proved, so that they end when its root is not believed any more. */
  readonly #peers: Map<NodeSocket, VerifiedPeer> = new Map<NodeSocket, VerifiedPeer>();
  readonly #sources: Set<LoadedCertificate> = new Set<LoadedCertificate>();

  constructor(
    identity: IdentitySource | undefined,
    onError: (message: string) => void,
    watchMs: number = WATCH_INTERVAL_MS,
  ) {
    this.#identity = identity;
    this.#onError = onError;
    this.#watchMs = watchMs;
  }

  mesh(): MeshTls {
    if (this.#mesh !== undefined) return this.#mesh;
    if (this.#identity === undefined)
      throw new Error(
        'TLS with a workload certificate or mesh trust needs an identity: give createProxy({ identity })',
      );
    const mesh = createMeshTls({
      identity: this.#identity,
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

  load(source: CertificateSource | undefined, trust: TrustSource | undefined): LoadedCertificate {
    const loaded = new LoadedCertificate(source, trust, this.#watchMs, this.#onError, () =>
      this.#sources.delete(loaded),
    );
    this.#sources.add(loaded);
    return loaded;
  }

  secure(plain: NodeSocket, tls: ServerTls, firstBytes: Buffer | undefined): Socket {
    const raw = plain.release();
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
    if (firstBytes !== undefined && firstBytes.length > 0) raw.unshift(firstBytes);
    raw.on('error', () => {}); // told through the TLS socket
    const secured = new TLSSocket(raw, { ...ready.options, isServer: true });
    secured.allowHalfOpen = true;
    socket.attach(secured, false);
    raw.once('close', () => secured.destroy());
    secured.once('secure', () => this.#judge(socket, secured, ready));
    return socket;
  }

  connect(address: Address, tls: ClientTls, expectedIdentity: string | undefined): Socket {
    const socket = new NodeSocket(true, true);
    const ready = (tls as NodeClientTls).ready(address, expectedIdentity);
    const target = isUnixAddress(address)
      ? { path: address.path }
      : { host: address.host, port: address.port };
    if (ready === undefined || 'ok' in ready) {
      const never = new NodeSocket(false);
      never.attach(new NetSocket(), false);
      setImmediate(() =>
        never.refuse(faultOfRefusal(ready ?? refusal('no-identity', 'this proxy has no certificate yet'))),
      );
      return never;
    }
    // The types leave out what tls.connect passes on to net.Socket.
    const options: ConnectionOptions & { readonly allowHalfOpen: boolean; readonly onread: unknown } = {
      ...ready.options,
      ...target,
      allowHalfOpen: true,
      onread: socket.onread,
    };
    const secured = tlsConnect(options);
    secured.setNoDelay(true);
    socket.attach(secured, false);
    secured.once('secureConnect', () => this.#judge(socket, secured, ready));
    return socket;
  }

  #judge(socket: NodeSocket, secured: TLSSocket, ready: Ready<unknown>): void {
    const verdict = ready.verify(secured);
    if (!verdict.ok) return socket.refuse(faultOfRefusal(verdict));
    if ('rootFingerprint' in verdict) {
      this.#peers.set(socket, verdict);
      secured.once('close', () => this.#peers.delete(socket));
    }
    const servername: unknown = (secured as { servername?: unknown }).servername;
    socket.ready({
      identity: verdict.spiffeId,
      serverName: typeof servername === 'string' && servername !== '' ? servername.toLowerCase() : undefined,
      alpn: typeof secured.alpnProtocol === 'string' ? secured.alpnProtocol : undefined,
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

/** A certificate, with trust, from files or text; files are followed. */
class LoadedCertificate {
  readonly #source: CertificateSource | undefined;
  readonly #trust: TrustSource | undefined;
  readonly #files: string[];
  readonly #onClose: () => void;
  readonly #minVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.2';
  #material: { cert?: string; key?: string; ca?: string };
  context: SecureContext;
  readonly #follow: () => void;

  constructor(
    source: CertificateSource | undefined,
    trust: TrustSource | undefined,
    watchMs: number,
    onError: (message: string) => void,
    onClose: () => void,
  ) {
    this.#source = source;
    this.#trust = trust;
    this.#onClose = onClose;
    this.#material = this.#read();
    this.context = this.#make();
    this.#files = [
      ...(source?.kind === 'files' ? [source.certificateFile, source.keyFile] : []),
      ...(trust?.kind === 'files' ? [trust.caFile] : []),
    ];
    this.#follow = () => {
      try {
        const material = this.#read();
        if (JSON.stringify(material) === JSON.stringify(this.#material)) return;
        const before = this.#material;
        this.#material = material;
        try {
          this.context = this.#make();
        } catch (error) {
          this.#material = before;
          throw error;
        }
      } catch (error) {
        // Halfway through being replaced, perhaps: the next look sees it whole.
        onError(
          `certificate files ${this.#files.join(', ')} cannot be used, those before stay: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    };
    for (const file of this.#files) watchFile(file, { interval: watchMs, persistent: false }, this.#follow);
  }

  #read(): { cert?: string; key?: string; ca?: string } {
    const source = this.#source;
    const trust = this.#trust;
    return {
      ...(source?.kind === 'files'
        ? { cert: readFileSync(source.certificateFile, 'utf8'), key: readFileSync(source.keyFile, 'utf8') }
        : {}),
      ...(source?.kind === 'inline' ? { cert: source.certificatePem, key: source.keyPem } : {}),
      ...(trust?.kind === 'files' ? { ca: readFileSync(trust.caFile, 'utf8') } : {}),
      ...(trust?.kind === 'inline' ? { ca: trust.caPem } : {}),
    };
  }

  #make(): SecureContext {
    return createSecureContext({ ...this.#material, minVersion: this.#minVersion });
  }

  describe(): CertificateInfo[] {
    const { cert, ca } = this.#material;
    return [
      ...(cert === undefined ? [] : describePem(cert, this.#source?.kind ?? 'inline')),
      ...(ca === undefined ? [] : describePem(ca, 'trust')),
    ];
  }

  close(): void {
    for (const file of this.#files) unwatchFile(file, this.#follow);
    this.#onClose();
  }
}

class NodeServerTls implements ServerTls {
  readonly #tls: NodeTls;
  readonly #config: DownstreamTls;
  readonly #loaded: LoadedCertificate | undefined;
  readonly #mode: 'require' | 'accept' | 'none';

  constructor(tls: NodeTls, config: DownstreamTls) {
    this.#tls = tls;
    this.#config = config;
    this.#mode = config.clientCertificate ?? (config.trust === undefined ? 'none' : 'require');
    if (this.#mode !== 'none' && config.trust === undefined)
      throw new Error(`clientCertificate is ${this.#mode} but nothing says whom to trust; add trust`);
    if (config.certificate.kind === 'workload' || config.trust?.kind === 'mesh') tls.mesh();
    this.#loaded =
      config.certificate.kind === 'workload' ? undefined : tls.load(config.certificate, config.trust);
  }

  ready(): Ready<TLSSocketOptions> | undefined {
    const { trust, allowedIds } = this.#config;
    const mesh =
      this.#config.certificate.kind === 'workload' || trust?.kind === 'mesh'
        ? this.#tls.mesh().inbound({
            alpn: this.#config.alpn ?? ['http/1.1'],
            ...(allowedIds === undefined ? {} : { expected: allowedIds }),
          })
        : undefined;
    if (mesh === undefined && (this.#config.certificate.kind === 'workload' || trust?.kind === 'mesh'))
      return undefined;
    const options: TLSSocketOptions = {
      ...mesh?.options,
      ...(this.#loaded === undefined
        ? {}
        : { secureContext: this.#loaded.context, minVersion: this.#config.minVersion ?? 'TLSv1.3' }),
      isServer: true,
      requestCert: this.#mode !== 'none',
      rejectUnauthorized: false,
      ALPNProtocols: [...(this.#config.alpn ?? ['http/1.1'])],
    };
    return { options, verify: (socket) => this.#verify(socket, mesh) };
  }

  #verify(socket: TLSSocket, mesh: Ready<unknown> | undefined): ReturnType<Ready<unknown>['verify']> {
    if (this.#mode === 'none') return { ok: true };
    // The peer's chain can be taken from the socket once only: a second call gives it without its first certificate.
    const verdict =
      this.#config.trust?.kind === 'mesh' && mesh !== undefined
        ? mesh.verify(socket)
        : verifyByNode(socket, this.#config.allowedIds);
    return !verdict.ok && verdict.reason === 'no-certificate' && this.#mode === 'accept'
      ? { ok: true }
      : verdict;
  }

  close(): void {
    this.#loaded?.close();
  }
}

class NodeClientTls implements ClientTls {
  readonly #tls: NodeTls;
  readonly #config: UpstreamTls;
  readonly #loaded: LoadedCertificate | undefined;

  constructor(tls: NodeTls, config: UpstreamTls) {
    this.#tls = tls;
    this.#config = config;
    if (config.certificate?.kind === 'workload' || config.trust.kind === 'mesh') tls.mesh();
    this.#loaded =
      config.certificate?.kind === 'workload' && config.trust.kind === 'mesh'
        ? undefined
        : tls.load(config.certificate?.kind === 'workload' ? undefined : config.certificate, config.trust);
  }

  ready(
    address: Address,
    expectedIdentity: string | undefined,
  ): Ready<ConnectionOptions> | Refusal | undefined {
    const { trust, allowedIds, serverName } = this.#config;
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
      ? this.#tls.mesh().outbound({
          ...(this.#config.alpn === undefined ? {} : { alpn: this.#config.alpn }),
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
      ...(this.#config.certificate?.kind === 'workload'
        ? mesh?.options
        : { secureContext: this.#loaded?.context }),
      ...(trust.kind === 'system' ? { ca: [...rootCertificates] } : {}),
      minVersion: this.#config.minVersion ?? 'TLSv1.3',
      servername: name,
      rejectUnauthorized: false,
      // Where an id is expected, that decides, not the name in the address.
      ...(expected === undefined ? {} : { checkServerIdentity: () => undefined }),
      ...(this.#config.alpn === undefined ? {} : { ALPNProtocols: [...this.#config.alpn] }),
    };
    return {
      options,
      verify: (socket) =>
        trust.kind === 'mesh' && mesh !== undefined ? mesh.verify(socket) : verifyByNode(socket, expected),
    };
  }

  close(): void {
    this.#loaded?.close();
  }
}

/** Chain and host name as Node checked them; a SPIFFE id counts when the certificate names exactly one. */
function verifyByNode(
  socket: TLSSocket,
  expected: readonly string[] | undefined,
): ReturnType<Ready<unknown>['verify']> {
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) return refusal('no-certificate', 'the peer sent no certificate');
  const text = faultOfChain(socket);
  if (text !== undefined) {
    const expired = text.includes('EXPIRED') || text.includes('expired');
    return refusal(expired ? 'expired' : 'unknown-issuer', text);
  }
  const uris = (leaf.subjectAltName ?? '')
    .split(', ')
    .filter((name) => name.startsWith('URI:'))
    .map((name) => name.slice(4));
  const id = uris.length === 1 ? spiffeIdOf(uris[0] as string) : undefined;
  if (
    expected !== undefined &&
    (id === undefined || !expected.some((pattern) => spiffeIdMatches(id, pattern)))
  ) {
    return refusal(
      'unexpected-identity',
      `the peer proved ${id ?? 'no SPIFFE id'}, expected ${expected.join(' or ')}`,
    );
  }
  return id === undefined ? { ok: true } : ({ ok: true, spiffeId: id } as never);
}

/**
 * Why OpenSSL does not believe the peer's chain. Node tells it by `authorized` on sockets of `tls.connect`; on one that a
 * `TLSSocket` was put around by hand, as on accepted connections here, only the handle knows. Where that private call is
 * missing, nobody is believed.
 */
function faultOfChain(socket: TLSSocket): string | undefined {
  if (socket.authorized) return undefined;
  // The types say Error; it is the code as a string, and null where nothing was looked at.
  const error = socket.authorizationError as Error | string | null | undefined;
  if (error != null) return typeof error === 'string' ? error : error.message;
  const handle = (socket as { readonly _handle?: { verifyError?(): (Error & { code?: string }) | null } })
    ._handle;
  if (typeof handle?.verifyError !== 'function')
    return `Node ${process.versions.node} does not tell whether the chain was verified`;
  const fault = handle.verifyError();
  return fault == null ? undefined : (fault.code ?? fault.message);
}

function spiffeIdOf(uri: string): string | undefined {
  try {
    parseSpiffeId(uri);
    return uri;
  } catch {
    return undefined;
  }
}

function faultOfRefusal({ reason, detail }: Refusal): SocketFault {
  return {
    kind: reason === 'unexpected-identity' ? 'identity' : 'tls',
    reason,
    message: `${detail}: ${refusalHints[reason]}`,
  };
}

function describePem(pem: string, source: CertificateInfo['source']): CertificateInfo[] {
  return certificatesOfPem(pem).map((der) => {
    const facts = readCertificate(der);
    const spiffeId = facts.uriSans.find((uri) => uri.startsWith('spiffe://'));
    return {
      source,
      subject: spiffeId ?? facts.fingerprint,
      spiffeId,
      serial: facts.serial,
      notBeforeMs: facts.notBeforeMs,
      notAfterMs: facts.notAfterMs,
    };
  });
}
