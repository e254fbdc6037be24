import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { CertificateSource, DownstreamTls, UpstreamTls } from '@tulle/model';
import { createProxy, httpListener, nodeTransport, route, type Proxy } from '@tulle/proxy';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { memoryLog } from '../src/index.ts';

let directory = '';
const open: Proxy[] = [];
const fileOf = (name: string): string => join(directory, name);
const openssl = (...args: readonly string[]): string =>
  execFileSync('openssl', args, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

const KEYS = { ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], rsa: ['-newkey', 'rsa:2048'] };

/** Writes `<name>.pem` and `<name>.key`, signed by the CA. */
async function issue(name: string, names: string, key: keyof typeof KEYS = 'ec'): Promise<void> {
  openssl(
    'req',
    ...KEYS[key],
    '-nodes',
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
    '-subj',
    `/O=${name}`,
  );
  await writeFile(fileOf(`${name}.ext`), `subjectAltName=${names}\n`);
  openssl(
    ...['ca', '-batch', '-config', 'ca.cnf', '-in', `${name}.csr`, '-out', `${name}.pem`, '-notext'],
    ...['-extfile', `${name}.ext`],
  );
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tulle-tls-peers-'));
  await writeFile(fileOf('index.txt'), '');
  await writeFile(
    fileOf('ca.cnf'),
    [
      ...['[ca]', 'default_ca=it', '[it]', 'database=index.txt', 'rand_serial=yes', 'new_certs_dir=.'],
      ...['certificate=ca.pem', 'private_key=ca.key', 'default_md=sha256', 'default_days=2', 'policy=any'],
      ...['default_crl_days=2', 'unique_subject=no', '[any]', 'organizationName=optional', ''],
    ].join('\n'),
  );
  openssl(
    'req',
    '-x509',
    ...KEYS.ec,
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/O=ca',
  );
  await issue('api', 'DNS:api.test,DNS:*.wild.test,URI:https://api.test/x,email:ops@api.test,IP:127.0.0.1');
  await issue('other', 'DNS:other.test');
  await issue('api-rsa', 'DNS:api.test', 'rsa');
  await issue('revoked', 'DNS:api.test');
  openssl('ca', '-config', 'ca.cnf', '-revoke', 'revoked.pem');
  openssl('ca', '-config', 'ca.cnf', '-gencrl', '-out', 'crl.pem');
});
afterAll(() => rm(directory, { recursive: true }));
afterEach(async () => {
  await Promise.all(open.splice(0).map((proxy) => proxy.stop()));
});

const shown = (name: string): CertificateSource => ({
  kind: 'files',
  certificateFile: fileOf(`${name}.pem`),
  keyFile: fileOf(`${name}.key`),
});
const roots = (): { kind: 'files'; caFile: string } => ({ kind: 'files', caFile: fileOf('ca.pem') });

async function server(tls: DownstreamTls): Promise<number> {
  const proxy = createProxy({
    log: memoryLog(),
    transport: nodeTransport(),
    listeners: [
      httpListener({
        name: 'it',
        port: 0,
        tls,
        routes: [route('/', { kind: 'direct', status: 200, body: 'ok' })],
      }),
    ],
  });
  await proxy.start();
  open.push(proxy);
  return (proxy.addresses()['it'] as { port: number }).port;
}

/** What a proxy with this TLS gets from a server there. */
async function statusVia(port: number, tls: UpstreamTls, hostname?: string): Promise<number> {
  const proxy = createProxy({
    log: memoryLog(),
    transport: nodeTransport(),
    listeners: [httpListener({ name: 'it', port: 0, routes: [route('/', 'server')] })],
    clusters: [
      {
        name: 'server',
        discovery: {
          kind: 'static',
          endpoints: [{ address: { host: '127.0.0.1', port }, ...(hostname !== undefined && { hostname }) }],
        },
        tls,
      },
    ],
  });
  await proxy.start();
  open.push(proxy);
  const mine = (proxy.addresses()['it'] as { port: number }).port;
  return (await fetch(`http://127.0.0.1:${mine}/`)).status;
}

async function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = tlsConnect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  return socket;
}
async function organizationAt(port: number, options: ConnectionOptions): Promise<string> {
  const socket = await handshake(port, options);
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.O);
}

describe('who is believed at the other end', () => {
  it.each([
    [200, { type: 'dns', match: { kind: 'exact', value: 'API.test' } }],
    [200, { type: 'dns', match: { kind: 'exact', value: 'one.wild.test' } }],
    [503, { type: 'dns', match: { kind: 'exact', value: 'two.one.wild.test' } }],
    [200, { type: 'dns', match: { kind: 'suffix', value: '.test' } }],
    [200, { type: 'uri', match: { kind: 'prefix', value: 'https://api.' } }],
    [503, { type: 'uri', match: { kind: 'exact', value: 'api.test' } }],
    [200, { type: 'email', match: { kind: 'regex', value: '.*@api\\.test' } }],
    [503, { type: 'email', match: { kind: 'regex', value: 'api' } }],
    [200, { type: 'ip', match: { kind: 'exact', value: '127.0.0.1' } }],
  ] as const)('answers %i where a name is to be %j', async (status, name) => {
    const port = await server({ certificate: shown('api') });
    expect(await statusVia(port, { trust: roots(), subjectAltNames: [name] })).toBe(status);
  });

  it('is by default who has the name that was asked for, and with verifyName false anybody of the roots', async () => {
    const port = await server({ certificate: shown('other') });
    const tls: UpstreamTls = { trust: roots(), serverName: 'api.test' };
    expect(await statusVia(port, tls)).toBe(503);
    expect(await statusVia(port, { ...tls, serverName: 'other.test' })).toBe(200);
    expect(await statusVia(port, { ...tls, verifyName: false })).toBe(200);
    expect(await statusVia(port, { trust: { kind: 'system' }, verifyName: false })).toBe(503);
  });

  it('is anybody with trust none, or who has a certificate or key with one of the hashes', async () => {
    const port = await server({ certificate: shown('api') });
    expect(await statusVia(port, { trust: { kind: 'none' } })).toBe(200);
    const { raw, publicKey } = new X509Certificate(await readFile(fileOf('api.pem')));
    const certificateHashes = [createHash('sha256').update(raw).digest('hex')];
    const key = createHash('sha256')
      .update(publicKey.export({ type: 'spki', format: 'der' }))
      .digest('base64');
    const trust = { kind: 'none' } as const;
    expect(await statusVia(port, { trust, certificateHashes })).toBe(200);
    expect(await statusVia(port, { trust, publicKeyHashes: [key] })).toBe(200);
    const elsewhere = await server({ certificate: shown('other') });
    expect(await statusVia(elsewhere, { trust, certificateHashes, publicKeyHashes: [key] })).toBe(503);
    expect(await statusVia(elsewhere, { trust: roots(), certificateHashes })).toBe(503);
  });

  it('is nobody whose certificate was revoked', async () => {
    const tls = (crl?: { file: string }): UpstreamTls => ({
      trust: { ...roots(), ...(crl && { crl }) },
      serverName: 'api.test',
    });
    const revoked = await server({ certificate: shown('revoked') });
    expect(await statusVia(revoked, tls())).toBe(200);
    expect(await statusVia(revoked, tls({ file: fileOf('crl.pem') }))).toBe(503);
    const api = await server({ certificate: shown('api') });
    expect(await statusVia(api, tls({ file: fileOf('crl.pem') }))).toBe(200);
  });

  it('is a caller with one of the names too', async () => {
    const port = await server({
      certificate: shown('api'),
      trust: roots(),
      subjectAltNames: [{ type: 'dns', match: { kind: 'exact', value: 'other.test' } }],
    });
    const tls = (name: string): UpstreamTls => ({ trust: { kind: 'none' }, certificate: shown(name) });
    expect(await statusVia(port, tls('other'))).toBe(200);
    expect(await statusVia(port, tls('api'))).toBe(503);
  });
});

describe('a listener with several certificates', () => {
  it('shows the one that has the name which is asked for', async () => {
    const port = await server({ certificate: shown('other'), moreCertificates: [shown('api')] });
    expect(await organizationAt(port, { servername: 'api.test' })).toBe('api');
    expect(await organizationAt(port, { servername: 'x.wild.test' })).toBe('api');
    expect(await organizationAt(port, { servername: 'other.test' })).toBe('other');
    expect(await organizationAt(port, { servername: 'nobody.test' })).toBe('other');
    expect(await organizationAt(port, {})).toBe('other');
  });

  it('shows one that the caller can check where they have different keys', async () => {
    const port = await server({
      certificate: shown('api'),
      moreCertificates: [shown('api-rsa')],
      minVersion: 'TLSv1.2',
    });
    const by = (ciphers: string): Promise<string> =>
      organizationAt(port, { servername: 'api.test', maxVersion: 'TLSv1.2', ciphers });
    expect(await by('ECDHE-ECDSA-AES128-GCM-SHA256')).toBe('api');
    expect(await by('ECDHE-RSA-AES128-GCM-SHA256')).toBe('api-rsa');
  });
});

it('a key that is encrypted is opened with its password, here or in a file', async () => {
  openssl('pkcs8', '-topk8', '-in', 'api.key', '-out', 'locked.key', '-passout', 'pass:open it');
  await writeFile(fileOf('word'), 'open it');
  const files = { ...shown('api'), keyFile: fileOf('locked.key') } as CertificateSource & { kind: 'files' };
  const port = await server({ certificate: { ...files, keyPassword: { file: fileOf('word') } } });
  expect(await organizationAt(port, {})).toBe('api');
  const inline: CertificateSource = {
    kind: 'inline',
    certificatePem: await readFile(fileOf('api.pem'), 'utf8'),
    keyPem: await readFile(fileOf('locked.key'), 'utf8'),
    keyPassword: { password: 'open it' },
  };
  const asking = await server({ certificate: inline, trust: roots() });
  expect(await statusVia(asking, { trust: { kind: 'none' }, certificate: inline })).toBe(200);
  await expect(server({ certificate: { ...files, keyPassword: { password: 'wrong' } } })).rejects.toThrow(
    /locked\.key cannot be opened with its password$/,
  );
  await writeFile(fileOf('line'), 'open it\n');
  await expect(server({ certificate: { ...files, keyPassword: { file: fileOf('line') } } })).rejects.toThrow(
    /locked\.key cannot be opened with its password, of which the line break at the end of .*line is a part$/,
  );
});

it('the name by which an endpoint is known is its server name, where that is wanted and there is one', async () => {
  const port = await server({ certificate: shown('other'), moreCertificates: [shown('api')] });
  const tls: UpstreamTls = { trust: roots(), serverName: 'other.test', serverNameFromHost: true };
  expect(await statusVia(port, { ...tls, verifyName: true }, 'api.test')).toBe(200);
  expect(await statusVia(port, { ...tls, verifyName: true }, 'nobody.test')).toBe(503);
  const named = { type: 'uri', match: { kind: 'prefix', value: 'https://api.test/' } } as const;
  expect(await statusVia(port, { ...tls, subjectAltNames: [named] }, 'api.test')).toBe(200);
  expect(await statusVia(port, { ...tls, subjectAltNames: [named] })).toBe(503);
  expect(
    await statusVia(port, { ...tls, subjectAltNames: [named], serverNameFromHost: false }, 'api.test'),
  ).toBe(503);
});

describe('what TLS is spoken', () => {
  it('has the suite that the listener prefers, or the caller where it is to choose', async () => {
    const [one, two] = ['ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-ECDSA-AES128-GCM-SHA256'] as const;
    const chosen = async (tls: Partial<DownstreamTls>): Promise<string> => {
      const port = await server({
        certificate: shown('api'),
        minVersion: 'TLSv1.2',
        cipherSuites: [one, two],
        ...tls,
      });
      const socket = await handshake(port, { maxVersion: 'TLSv1.2', ciphers: `${two}:${one}` });
      const { name } = socket.getCipher();
      socket.destroy();
      return name;
    };
    expect(await chosen({})).toBe(one);
    expect(await chosen({ preferClientCiphers: true })).toBe(two);
  });

  const refused = (port: number, options: ConnectionOptions): Promise<void> =>
    expect(handshake(port, options)).rejects.toThrow();

  it('is 1.3 by default, and what minVersion and maxVersion say', async () => {
    const own = await server({ certificate: shown('api') });
    await refused(own, { maxVersion: 'TLSv1.2' });
    const older = await server({ certificate: shown('api'), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' });
    const socket = await handshake(older);
    expect(socket.getProtocol()).toBe('TLSv1.2');
    socket.destroy();
    expect(await statusVia(older, { trust: roots(), serverName: 'api.test' })).toBe(503);
    expect(await statusVia(older, { trust: roots(), serverName: 'api.test', minVersion: 'TLSv1.2' })).toBe(
      200,
    );
  });

  it('has the suites of TLS 1.2, the groups and the signatures that were chosen', async () => {
    const port = await server({
      certificate: shown('api'),
      minVersion: 'TLSv1.2',
      cipherSuites: ['ECDHE-ECDSA-CHACHA20-POLY1305'],
      curves: ['P-384'],
      signatureAlgorithms: ['ecdsa_secp256r1_sha256'],
    });
    const socket = await handshake(port, { maxVersion: 'TLSv1.2', ecdhCurve: 'X25519:P-256:P-384' });
    expect(socket.getCipher().name).toBe('ECDHE-ECDSA-CHACHA20-POLY1305');
    expect(socket.getEphemeralKeyInfo()).toMatchObject({ name: 'secp384r1' });
    socket.destroy();
    await refused(port, { ecdhCurve: 'X25519' });
    (await handshake(port, { ecdhCurve: 'P-384' })).destroy(); // TLS 1.3 is spoken as well
  });

  it('needs a server name where requireServerName says so', async () => {
    const port = await server({ certificate: shown('api'), requireServerName: true });
    expect(await statusVia(port, { trust: { kind: 'none' } })).toBe(503);
    expect(await statusVia(port, { trust: { kind: 'none' }, serverName: 'api.test' })).toBe(200);
  });
});
