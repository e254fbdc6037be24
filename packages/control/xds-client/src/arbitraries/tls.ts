import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import type {
  CertificateSource,
  DownstreamTls,
  Password,
  PemSource,
  SubjectAltNameMatch,
  TicketKey,
  TrustSource,
  UpstreamTls,
} from '@tulle/model';
import { allowedIds, label, object, options } from './basics.ts';

const keyPassword: fc.Arbitrary<Password> = fc.oneof(
  fc.record({ file: label }, { noNullPrototype: true }),
  fc.record({ password: label }, { noNullPrototype: true }),
);
const certificate: fc.Arbitrary<CertificateSource> = fc.oneof(
  fc.constant<CertificateSource>({ kind: 'workload' }),
  object<CertificateSource>(
    { kind: fc.constant('files'), certificateFile: label, keyFile: label },
    { keyPassword },
  ),
  object<CertificateSource>(
    { kind: fc.constant('inline'), certificatePem: label, keyPem: label },
    { keyPassword },
  ),
);
const pem: fc.Arbitrary<PemSource> = fc.oneof(
  fc.record({ file: label }, { noNullPrototype: true }),
  fc.record({ pem: label }, { noNullPrototype: true }),
);
const trust: fc.Arbitrary<DownstreamTls['trust'] & {}> = fc.oneof(
  fc.constantFrom<DownstreamTls['trust'] & {}>({ kind: 'mesh' }, { kind: 'system' }),
  object<DownstreamTls['trust'] & {}>({ kind: fc.constant('files'), caFile: label }, { crl: pem }),
  object<DownstreamTls['trust'] & {}>({ kind: fc.constant('inline'), caPem: label }, { crl: pem }),
);
/** No name that could be the server name, and none that is a SPIFFE id. */
const altName: fc.Arbitrary<SubjectAltNameMatch> = fc.record(
  {
    type: fc.constantFrom('dns', 'uri', 'email', 'ip'),
    match: object<SubjectAltNameMatch['match']>(
      {
        kind: fc.constantFrom('exact', 'prefix', 'suffix', 'contains', 'regex'),
        value: label.map((name) => `${name}.test`),
      },
      { ignoreCase: fc.constant(true) },
    ),
  },
  { noNullPrototype: true },
);
const hash: fc.Arbitrary<Buffer> = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes));
type Peer = Pick<
  UpstreamTls,
  'allowedIds' | 'subjectAltNames' | 'certificateHashes' | 'publicKeyHashes' | 'verifyName'
>;
/** Who is expected at the other end, in one of the ways that there are. */
const peer: fc.Arbitrary<Peer> = fc.oneof(
  options<Peer>({ allowedIds } as never),
  object<Peer>(
    { subjectAltNames: fc.array(altName, { minLength: 1, maxLength: 2 }) },
    {
      certificateHashes: fc.array(
        hash.map((bytes) => bytes.toString('hex')),
        { minLength: 1, maxLength: 2 },
      ),
      publicKeyHashes: fc.array(
        hash.map((bytes) => bytes.toString('base64')),
        { minLength: 1, maxLength: 2 },
      ),
    },
  ),
);
const common = {
  alpn: fc.uniqueArray(fc.constantFrom('http/1.1', 'h2'), { maxLength: 2 }),
  minVersion: fc.constant('TLSv1.2'),
  maxVersion: fc.constant('TLSv1.3'),
  cipherSuites: fc.uniqueArray(
    fc.constantFrom('ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305', 'AES128-SHA'),
    { minLength: 1 },
  ),
  curves: fc.uniqueArray(fc.constantFrom('X25519', 'P-256', 'P-384'), { minLength: 1 }),
  signatureAlgorithms: fc.uniqueArray(fc.constantFrom('ed25519', 'rsa_pss_rsae_sha256'), { minLength: 1 }),
};

const sessionTicketKey: fc.Arbitrary<TicketKey> = fc.oneof(
  fc.record({ file: label }, { noNullPrototype: true }),
  fc
    .uint8Array({ minLength: 80, maxLength: 80 })
    .map((bytes) => ({ keyBase64: Buffer.from(bytes).toString('base64') })),
);

/** Mesh trust goes by ids and nothing else. */
function withPeer<T extends UpstreamTls | DownstreamTls>([tls, expected, ids]: [T, Peer, string[]]): T {
  return tls.trust?.kind === 'mesh' ? { ...tls, allowedIds: ids } : { ...tls, ...expected };
}

export const downstreamTls: fc.Arbitrary<DownstreamTls> = fc
  .tuple(
    fc.oneof(
      object<DownstreamTls>(
        { certificate: certificate.filter(({ kind }) => kind !== 'workload') },
        {
          moreCertificates: fc.array(
            certificate.filter(({ kind }) => kind !== 'workload'),
            { minLength: 1, maxLength: 2 },
          ),
        },
      ),
      object<DownstreamTls>({ certificate }),
    ),
    options<Partial<DownstreamTls>>({
      ...common,
      trust,
      clientCertificate: fc.constantFrom('require', 'accept', 'any', 'none'),
      requireServerName: fc.boolean(),
      sessionTickets: fc.boolean(),
      sessionTimeoutMs: fc.integer({ min: 1, max: 99_999 }).map((seconds) => seconds * 1_000),
      sessionTicketKey,
    } as never),
    peer,
    allowedIds,
  )
  .map(([own, rest, expected, ids]) => {
    const { sessionTicketKey: key, ...others }: DownstreamTls = { ...own, ...rest };
    // Without tickets there is nothing to make with it.
    const tls: DownstreamTls =
      key === undefined || others.sessionTickets === false ? others : { ...others, sessionTicketKey: key };
    const { trust: roots, clientCertificate: asked } = tls;
    // Whom nobody need believe shows a certificate of roots, and is nobody of the mesh.
    if (asked === 'any')
      return roots === undefined || roots.kind === 'mesh' ? { ...tls, clientCertificate: 'none' } : tls;
    // Without roots, or where nobody is asked, names say nothing.
    return roots === undefined || asked === 'none' ? tls : withPeer<DownstreamTls>([tls, expected, ids]);
  });
export const upstreamTls: fc.Arbitrary<UpstreamTls> = fc.oneof(
  fc
    .tuple(
      object<UpstreamTls>(
        { trust },
        { ...common, certificate, serverName: label, sessionResumption: fc.boolean() },
      ),
      peer,
      allowedIds,
    )
    .map((parts) => withPeer<UpstreamTls>(parts)),
  object<UpstreamTls>(
    { trust: fc.constant<TrustSource>({ kind: 'none' }) },
    { ...common, certificate, serverName: label, sessionResumption: fc.boolean() },
  ),
);
