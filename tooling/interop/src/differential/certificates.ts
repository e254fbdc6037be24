import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A certificate with its key, as PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** Certificates of one run. */
export interface Certificates {
  /** Root of all but `stranger`. */
  readonly ca: string;
  pair(name: string): Pair;
  /** What a configuration calls `$ca`, `$foreign-ca`, `$cert:NAME` and `$key:NAME`. */
  pem(name: string): string;
}

/** What is said of a certificate's holder. */
interface Holder {
  readonly dns?: readonly string[];
  readonly uri?: readonly string[];
  readonly ip?: readonly string[];
  readonly isExpired?: boolean;
}

/** Holders of certificates, by how they are called. */
const HOLDERS: Readonly<Record<string, Holder>> = {
  origin: { dns: ['origin.test'], ip: ['127.0.0.1'] },
  one: { dns: ['one.test'] },
  two: { dns: ['two.test', '*.two.test'] },
  alice: { uri: ['spiffe://mesh.test/ns/default/sa/alice'] },
  bob: { uri: ['spiffe://mesh.test/ns/default/sa/bob'] },
  both: { uri: ['https://carol.test/', 'spiffe://mesh.test/ns/default/sa/carol'], dns: ['carol.test'] },
  late: { uri: ['spiffe://mesh.test/ns/default/sa/alice'], dns: ['origin.test'], isExpired: true },
};
/** Whom nobody vouches for that is believed. */
const STRANGER: Holder = {
  uri: ['spiffe://mesh.test/ns/default/sa/alice'],
  dns: ['origin.test'],
};

/** Makes them; each run has others. */
export async function makeCertificates(): Promise<Certificates> {
  const root = await authority('root');
  const foreign = await authority('foreign');
  const pairs = new Map<string, Pair>();
  for (const [name, holder] of Object.entries(HOLDERS)) pairs.set(name, await issue(root, name, holder));
  pairs.set('stranger', await issue(foreign, 'stranger', STRANGER));
  const pair = (name: string): Pair => {
    const found = pairs.get(name);
    if (found === undefined) throw new Error(`no certificate is called ${name}`);
    return found;
  };
  const [ca, foreignCa] = [root, foreign].map(({ certificate }) => certificate.toString('pem')) as [
    string,
    string,
  ];
  return {
    ca,
    pair,
    pem(name) {
      if (name === 'ca') return ca;
      if (name === 'foreign-ca') return foreignCa;
      const [part, holder = ''] = name.split(':');
      return part === 'key' ? pair(holder).key : pair(holder).cert;
    },
  };
}

interface Authority {
  readonly certificate: x509.X509Certificate;
  readonly keys: Awaited<ReturnType<typeof newKeys>>;
}

const lifetime = (isExpired = false): { readonly notBefore: Date; readonly notAfter: Date } => ({
  notBefore: new Date(Date.now() - 86_400_000),
  notAfter: new Date(Date.now() + (isExpired ? -60_000 : 86_400_000)),
});

const newKeys = () => crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);

async function authority(name: string): Promise<Authority> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithm,
    serialNumber: '01',
    ...lifetime(),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  return { certificate, keys };
}

let serial = 1;

async function issue(
  by: Authority,
  name: string,
  { dns = [], uri = [], ip = [], isExpired }: Holder,
): Promise<Pair> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: by.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: by.keys.privateKey,
    signingAlgorithm: algorithm,
    serialNumber: (++serial).toString(16).padStart(4, '0'),
    ...lifetime(isExpired),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([
        ...dns.map((value) => ({ type: 'dns' as const, value })),
        ...uri.map((value) => ({ type: 'url' as const, value })),
        ...ip.map((value) => ({ type: 'ip' as const, value })),
      ]),
    ],
  });
  const key = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    cert: certificate.toString('pem'),
    key: `-----BEGIN PRIVATE KEY-----\n${key.replaceAll(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`,
  };
}
