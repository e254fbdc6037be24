import { constants as cryptoConstants, createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type {
  CertificateSource,
  DownstreamTls,
  Password,
  PemSource,
  Svid,
  TicketKey,
  TlsParameters,
  TrustSource,
} from '@tulle/model';
import { certificatesOfPem, readCertificate } from '@tulle/spiffe';
import type { CertificateInfo } from '../ports.ts';
import { isNameOf, namesOf } from './certificate-names.ts';

/** What contexts are made of. */
export interface CertificateSetup {
  /** None: nothing is shown. */
  readonly certificates: readonly CertificateSource[];
  readonly trust: TrustSource | undefined;
  /** The process's own certificate of this moment. */
  workload(): Svid | undefined;
  readonly parameters: TlsParameters &
    Pick<DownstreamTls, 'sessionTickets' | 'sessionTicketKey' | 'sessionTimeoutMs' | 'preferClientCiphers'>;
}

interface Material {
  readonly pairs: readonly { readonly cert: string; readonly key: string }[];
  readonly ca?: string;
  readonly crl?: string;
  /** Base64. */
  readonly ticketKey?: string;
}

/** One certificate as far as it is chosen by names. */
interface Shown {
  /** Lower case; wildcards as they stand. */
  readonly names: readonly string[];
  readonly keyType: string;
}

/** A name of a caller is looked at so often at most before it is looked up anew: callers make names up. */
const MAX_NAMED_CONTEXTS = 64;

/** TLS 1.3 has its suites whatever is chosen for 1.2. */
const TLS13_SUITES = ['TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_GCM_SHA256'];

/** Certificates, with trust, from files or text; files are followed. */
export class LoadedCertificates {
  readonly #setup: CertificateSetup;
  readonly #files: readonly string[];
  readonly #onError: (message: string) => void;
  readonly #onClose: () => void;
  readonly #follow: () => void;
  #material: Material;
  #shown: readonly Shown[] = [];
  /** By the indices of the certificates in it. */
  #contexts: Map<string, SecureContext> = new Map<string, SecureContext>();
  /** For a caller that asks for no name: a certificate of each kind of key. */
  context: SecureContext;

  /** @throws Error where the files or texts cannot be used */
  constructor(
    setup: CertificateSetup,
    watchMs: number,
    onError: (message: string) => void,
    onClose: () => void,
  ) {
    this.#setup = setup;
    this.#onError = onError;
    this.#onClose = onClose;
    this.#files = filesOf(setup);
    this.#material = readMaterial(setup);
    this.context = this.#make();
    this.#follow = () => this.refresh();
    for (const file of this.#files) watchFile(file, { interval: watchMs, persistent: false }, this.#follow);
  }

  /** Looks whether something changed; what cannot be used leaves everything as it is. */
  refresh(): void {
    try {
      const material = readMaterial(this.#setup);
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
      this.#onError(
        `certificate files ${this.#files.join(', ')} cannot be used, those before stay: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  /** Whether it depends on the name that a caller asks for. */
  get several(): boolean {
    return this.#material.pairs.length > 1;
  }

  /**
   * With the certificate for a server name: one that has it exactly, else by a wildcard, else the first.
   * @returns `undefined` where {@link context} has just what fits: Node takes but one certificate when it changes the context
   * in a handshake, so that several kinds of keys for one name are shown by that one alone
   */
  contextFor(serverName: string): SecureContext | undefined {
    const wanted = serverName.toLowerCase();
    const having = (has: (name: string) => boolean): number[] =>
      this.#shown.flatMap(({ names }, index) => (names.some(has) ? [index] : []));
    const exact = having((name) => name === wanted);
    const found = exact.length > 0 ? exact : having((name) => isNameOf(name, wanted));
    const fits = String(this.#oneOfEachKind(found)) === String(this.#oneOfEachKind([...this.#shown.keys()]));
    return fits ? undefined : this.#contextOf([found[0] ?? 0]);
  }

  #make(): SecureContext {
    const { pairs } = this.#material;
    const shown = pairs.length > 1 ? pairs.map(({ cert }) => shownBy(cert)) : [];
    const before = [this.#shown, this.#contexts] as const;
    this.#shown = shown;
    this.#contexts = new Map();
    try {
      // Each by itself too, as a server name may ask for it: one that is no pair shows here, not in a handshake.
      if (pairs.length > 1) for (const index of pairs.keys()) this.#contextOf([index]);
      return this.#contextOf(this.#oneOfEachKind([...pairs.keys()]));
    } catch (error) {
      [this.#shown, this.#contexts] = before;
      throw error;
    }
  }

  /** OpenSSL takes one certificate a kind of key, and shows one that the caller can check. */
  #oneOfEachKind(indices: readonly number[]): readonly number[] {
    return indices.filter(
      (index, at) =>
        indices.findIndex((other) => this.#shown[other]?.keyType === this.#shown[index]?.keyType) === at,
    );
  }

  #contextOf(indices: readonly number[]): SecureContext {
    const key = indices.join(' ');
    const known = this.#contexts.get(key);
    if (known !== undefined) return known;
    const { pairs, ca, crl, ticketKey } = this.#material;
    const used = indices.map((index) => pairs[index] as Material['pairs'][number]);
    const made = createSecureContext({
      ...(used.length > 0 && { cert: used.map(({ cert }) => cert), key: used.map((one) => one.key) }),
      ...(ca !== undefined && { ca }),
      ...(crl !== undefined && { crl }),
      ...(ticketKey !== undefined && { ticketKeys: Buffer.from(ticketKey, 'base64') }),
      ...optionsOf(this.#setup.parameters),
    });
    if (this.#contexts.size >= MAX_NAMED_CONTEXTS) this.#contexts.clear();
    this.#contexts.set(key, made);
    return made;
  }

  describe(): CertificateInfo[] {
    const { certificates } = this.#setup;
    const { pairs, ca } = this.#material;
    return [
      // The workload's own is described with its identity.
      ...pairs.flatMap(({ cert }, index) => {
        const kind = certificates[index]?.kind ?? 'inline';
        return kind === 'workload' ? [] : describePem(cert, kind);
      }),
      ...(ca === undefined ? [] : describePem(ca, 'trust')),
    ];
  }

  close(): void {
    for (const file of this.#files) unwatchFile(file, this.#follow);
    this.#onClose();
  }
}

function optionsOf({
  minVersion = 'TLSv1.3',
  maxVersion = 'TLSv1.3',
  cipherSuites,
  curves,
  signatureAlgorithms,
  sessionTickets,
  sessionTimeoutMs,
  preferClientCiphers = false,
}: CertificateSetup['parameters']): SecureContextOptions {
  return {
    minVersion,
    maxVersion,
    // Without an order of its own the caller's is as good; towards endpoints the flag says nothing.
    ...(cipherSuites && {
      ciphers: [...TLS13_SUITES, ...cipherSuites].join(':'),
      honorCipherOrder: !preferClientCiphers,
    }),
    ...(curves && { ecdhCurve: curves.join(':') }),
    ...(signatureAlgorithms && { sigalgs: signatureAlgorithms.join(':') }),
    ...(sessionTimeoutMs !== undefined && { sessionTimeout: Math.floor(sessionTimeoutMs / 1_000) }),
    ...(sessionTickets === false && { secureOptions: cryptoConstants.SSL_OP_NO_TICKET }),
  };
}

/**
 * A key that can be used, of one that may be encrypted.
 * @throws Error naming `what` where the password does not open it
 */
export function plainKey(pem: string, given: Password | undefined, what: string): string {
  if (given === undefined) return pem;
  const passphrase = 'file' in given ? readFileSync(given.file) : given.password;
  try {
    return createPrivateKey({ key: pem, passphrase }).export({ type: 'pkcs8', format: 'pem' }).toString();
  } catch (cause) {
    // As editors and `echo` end files; Envoy takes it for a part as well.
    const hint =
      'file' in given && passphrase.at(-1) === 0x0a
        ? `, of which the line break at the end of ${given.file} is a part`
        : '';
    throw new Error(`${what} cannot be opened with its password${hint}`, { cause });
  }
}

function filesOf({ certificates, trust, parameters }: CertificateSetup): string[] {
  const { sessionTicketKey: ticketKey } = parameters;
  const crl = trust !== undefined && 'crl' in trust ? trust.crl : undefined;
  return [
    ...certificates.flatMap((source) =>
      source.kind === 'files' ? [source.certificateFile, source.keyFile] : [],
    ),
    ...certificates.flatMap((source) =>
      source.kind !== 'workload' && source.keyPassword !== undefined && 'file' in source.keyPassword
        ? [source.keyPassword.file]
        : [],
    ),
    ...(trust?.kind === 'files' ? [trust.caFile] : []),
    ...(crl !== undefined && 'file' in crl ? [crl.file] : []),
    ...(ticketKey !== undefined && 'file' in ticketKey ? [ticketKey.file] : []),
  ];
}

function readMaterial({ certificates, trust, workload, parameters }: CertificateSetup): Material {
  const { sessionTicketKey: ticketKey } = parameters;
  const crl = trust !== undefined && 'crl' in trust ? trust.crl : undefined;
  const ca =
    trust?.kind === 'files'
      ? readFileSync(trust.caFile, 'utf8')
      : trust?.kind === 'inline'
        ? trust.caPem
        : undefined;
  // Node takes an empty text for none given, and then believes all public roots.
  if (ca !== undefined && certificatesOfPem(ca).length === 0)
    throw new Error(
      `${trust?.kind === 'files' ? trust.caFile : 'the text of roots'} holds no certificate: roots are wanted in PEM`,
    );
  return {
    pairs: certificates.flatMap((source) => {
      if (source.kind === 'files')
        return [
          {
            cert: readFileSync(source.certificateFile, 'utf8'),
            key: plainKey(readFileSync(source.keyFile, 'utf8'), source.keyPassword, source.keyFile),
          },
        ];
      if (source.kind === 'inline')
        return [
          {
            cert: source.certificatePem,
            key: plainKey(source.keyPem, source.keyPassword, 'the private key'),
          },
        ];
      const svid = workload();
      return svid === undefined ? [] : [{ cert: svid.certificateChainPem, key: svid.privateKeyPem }];
    }),
    ...(ca !== undefined && { ca }),
    ...(crl !== undefined && { crl: pemOf(crl) }),
    ...(ticketKey !== undefined && { ticketKey: ticketKeyOf(ticketKey) }),
  };
}

/** As Envoy's: a name, and keys of 32 bytes each for HMAC and AES. */
const TICKET_KEY_BYTES = 80;
const TICKET_NAME_BYTES = 16;

/** Node takes 48 bytes, a name and keys of 16 bytes each, which are made of all that is there. @returns base64 */
function ticketKeyOf(source: TicketKey): string {
  const given = 'file' in source ? readFileSync(source.file) : Buffer.from(source.keyBase64, 'base64');
  if (given.length !== TICKET_KEY_BYTES)
    throw new Error(
      `${'file' in source ? source.file : 'sessionTicketKey'} has ${given.length} bytes: a key of session tickets has ${TICKET_KEY_BYTES}, e.g. of \`openssl rand ${TICKET_KEY_BYTES}\``,
    );
  const keys = createHash('sha256').update(given).digest();
  return Buffer.concat([given.subarray(0, TICKET_NAME_BYTES), keys]).toString('base64');
}

function pemOf(source: PemSource): string {
  return 'file' in source ? readFileSync(source.file, 'utf8') : source.pem;
}

/** DNS names of a certificate; where it has none, the common name, as callers of old expect. */
function shownBy(pem: string): Shown {
  const leaf = new X509Certificate(pem);
  const names = namesOf(leaf).flatMap(([type, name]) => (type === 'dns' ? [name.toLowerCase()] : []));
  const common = /^CN=(.+)$/m.exec(leaf.subject)?.[1];
  return {
    names: names.length > 0 || common === undefined ? names : [common.toLowerCase()],
    keyType: leaf.publicKey.asymmetricKeyType ?? '',
  };
}

/** Certificates of a PEM text for `/certs`. */
export function describePem(pem: string, source: CertificateInfo['source']): CertificateInfo[] {
  return certificatesOfPem(pem).flatMap((der) => {
    const facts = factsOf(der);
    if (facts === undefined) return []; // of an old version, say: OpenSSL takes it, the reader of SVIDs does not
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

function factsOf(der: Buffer): ReturnType<typeof readCertificate> | undefined {
  try {
    return readCertificate(der);
  } catch {
    return undefined;
  }
}
