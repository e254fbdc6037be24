import type { IdentitySnapshot } from '@tulle/model';
import { tag, writeDer } from '../src/der.ts';
import type { RefusalReason } from '../src/refusal.ts';
import { forge, forgeIssuer, forgeLeaf, forgeMesh, forgeRoot, snapshot, type Forged, x509 } from './forge.ts';

// Every way to be refused, as an identity that somebody would present. Each is judged in memory and over real TLS,
// by a server and by a client.

export type Mesh = Awaited<ReturnType<typeof forgeMesh>>;

export interface BadPeer {
  readonly what: string;
  readonly reason: RefusalReason;
  /** OpenSSL itself would not serve with it, so it is judged in memory only. */
  readonly unservable?: boolean;
  /** It may be presented by the other side of TLS. */
  readonly only?: 'client' | 'server';
  make(mesh: Mesh): Promise<IdentitySnapshot>;
}

export const goodId = 'spiffe://example.org/ns/default/sa/web';
const hour = 3_600_000;

const present = (mesh: Mesh, chain: readonly [Forged, ...Forged[]]): Promise<IdentitySnapshot> =>
  snapshot(chain, [mesh.bundle]);

/** A NameConstraints extension with URI hosts. */
export function nameConstraints(kind: 'permitted' | 'excluded', host: string, type = 6): x509.Extension {
  const base = writeDer(tag.contextPrimitive(type), Buffer.from(host));
  const subtrees = writeDer(tag.context(kind === 'permitted' ? 0 : 1), writeDer(tag.sequence, base));
  return new x509.Extension('2.5.29.30', true, writeDer(tag.sequence, subtrees));
}

const throughIssuer =
  (issuer: Parameters<typeof forgeIssuer>[1]) =>
  async (mesh: Mesh): Promise<IdentitySnapshot> => {
    const own = await forgeIssuer(mesh.root, issuer);
    return present(mesh, [await forgeLeaf(own, goodId), own]);
  };
const withLeaf =
  (uri: string, leaf: Parameters<typeof forgeLeaf>[2]) =>
  async (mesh: Mesh): Promise<IdentitySnapshot> =>
    present(mesh, [await forgeLeaf(mesh.issuer, uri, leaf), mesh.issuer]);

export const badPeers: readonly BadPeer[] = [
  {
    what: 'a foreign CA with the same names',
    reason: 'unknown-issuer',
    async make(mesh) {
      const root = await forgeRoot('CN=example.org root');
      const issuer = await forgeIssuer(root);
      return present(mesh, [await forgeLeaf(issuer, goodId), issuer, root]);
    },
  },
  {
    what: 'a leaf without its issuer',
    reason: 'unknown-issuer',
    make: async (mesh) =>
      present(mesh, [await forgeLeaf(await forgeIssuer(mesh.root, { subject: 'CN=unseen' }), goodId)]),
  },
  {
    what: 'a self-signed leaf',
    reason: 'unknown-issuer',
    make: async (mesh) => present(mesh, [await forge({ subject: 'CN=me', uris: [goodId] })]),
  },
  {
    what: 'a foreign trust domain',
    reason: 'wrong-trust-domain',
    async make(mesh) {
      const other = await forgeMesh('other.test');
      return present(mesh, [await forgeLeaf(other.issuer, 'spiffe://other.test/ns/a/sa/b'), other.issuer]);
    },
  },
  {
    what: 'a foreign trust domain below our own root',
    reason: 'wrong-trust-domain',
    make: withLeaf('spiffe://other.test/ns/a/sa/b', {}),
  },
  {
    what: 'an expired leaf',
    reason: 'expired',
    make: withLeaf(goodId, { notBeforeMs: Date.now() - 2 * hour, notAfterMs: Date.now() - 60_000 }),
  },
  {
    what: 'a leaf of the future',
    reason: 'not-yet-valid',
    make: withLeaf(goodId, { notBeforeMs: Date.now() + hour }),
  },
  {
    what: 'an expired issuer',
    reason: 'expired',
    make: throughIssuer({ notBeforeMs: Date.now() - 2 * hour, notAfterMs: Date.now() - 60_000 }),
  },
  {
    what: 'an issuer of the future',
    reason: 'not-yet-valid',
    make: throughIssuer({ notBeforeMs: Date.now() + hour }),
  },
  {
    what: 'no URI SAN',
    reason: 'no-uri-san',
    make: async (mesh) =>
      present(mesh, [
        await forge({ issuer: mesh.issuer, subject: 'CN=web', dns: ['web.example.org'] }),
        mesh.issuer,
      ]),
  },
  {
    what: 'no SAN at all',
    reason: 'no-uri-san',
    make: async (mesh) =>
      present(mesh, [await forge({ issuer: mesh.issuer, subject: `CN=${goodId}` }), mesh.issuer]),
  },
  {
    what: 'two URI SANs',
    reason: 'many-uri-sans',
    make: async (mesh) =>
      present(mesh, [
        await forge({ issuer: mesh.issuer, uris: [goodId, 'spiffe://example.org/ns/default/sa/admin'] }),
        mesh.issuer,
      ]),
  },
  {
    what: 'the same URI SAN twice',
    reason: 'many-uri-sans',
    make: async (mesh) =>
      present(mesh, [await forge({ issuer: mesh.issuer, uris: [goodId, goodId] }), mesh.issuer]),
  },
  {
    what: 'an https URI',
    reason: 'bad-spiffe-id',
    make: withLeaf('https://example.org/ns/default/sa/web', {}),
  },
  {
    what: 'an upper-case trust domain',
    reason: 'bad-spiffe-id',
    make: withLeaf('spiffe://EXAMPLE.org/ns/default/sa/web', {}),
  },
  { what: "a trust domain's own id", reason: 'bad-spiffe-id', make: withLeaf('spiffe://example.org', {}) },
  {
    what: 'a CA certificate as leaf',
    reason: 'ca-leaf',
    make: async (mesh) =>
      present(mesh, [await forge({ subject: 'CN=sub', issuer: mesh.root, ca: true, uris: [goodId] })]),
  },
  {
    what: 'a CA certificate without the right to sign as leaf',
    reason: 'ca-leaf',
    make: withLeaf(goodId, { ca: true, usage: x509.KeyUsageFlags.digitalSignature }),
  },
  {
    what: 'a leaf that may sign certificates',
    reason: 'ca-leaf',
    make: withLeaf(goodId, { usage: x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign }),
  },
  { what: 'a leaf without key usage', reason: 'wrong-usage', make: withLeaf(goodId, { usage: null }) },
  {
    what: 'a leaf for encipherment only',
    reason: 'wrong-usage',
    unservable: true,
    make: withLeaf(goodId, { usage: x509.KeyUsageFlags.keyEncipherment }),
  },
  {
    what: 'a leaf for e-mail',
    reason: 'wrong-usage',
    make: withLeaf(goodId, { extendedUsage: [x509.ExtendedKeyUsage.emailProtection] }),
  },
  {
    what: "a server's certificate",
    reason: 'wrong-usage',
    only: 'client',
    make: withLeaf(goodId, { extendedUsage: [x509.ExtendedKeyUsage.serverAuth] }),
  },
  {
    what: "a client's certificate",
    reason: 'wrong-usage',
    only: 'server',
    make: withLeaf(goodId, { extendedUsage: [x509.ExtendedKeyUsage.clientAuth] }),
  },
  {
    what: 'a leaf with an unknown critical extension',
    reason: 'bad-certificate',
    make: withLeaf(goodId, { extra: [new x509.Extension('1.2.3.4', true, new Uint8Array([5, 0]))] }),
  },
  {
    what: 'a signature on SHA-1',
    reason: 'bad-certificate',
    unservable: true,
    make: withLeaf(goodId, { hash: 'SHA-1' }),
  },
  {
    what: 'an RSA key of 1024 bits',
    reason: 'bad-certificate',
    unservable: true,
    make: withLeaf(goodId, { rsaBits: 1024 }),
  },
  {
    what: 'a leaf that another leaf signed',
    reason: 'constrained-issuer',
    async make(mesh) {
      const middle = await forge({
        subject: 'CN=leaf',
        issuer: mesh.issuer,
        uris: ['spiffe://example.org/ns/default/sa/evil'],
      });
      return present(mesh, [await forgeLeaf(middle, goodId), middle, mesh.issuer]);
    },
  },
  {
    what: 'an issuer with the right to sign that is no CA',
    reason: 'constrained-issuer',
    make: throughIssuer({ ca: false, usage: x509.KeyUsageFlags.keyCertSign }),
  },
  {
    what: 'a CA below an issuer that may have none',
    reason: 'constrained-issuer',
    async make(mesh) {
      const below = await forge({ subject: 'CN=below', issuer: mesh.issuer, ca: true });
      return present(mesh, [await forgeLeaf(below, goodId), below, mesh.issuer]);
    },
  },
  {
    what: 'an issuer without the right to sign',
    reason: 'constrained-issuer',
    make: throughIssuer({ usage: x509.KeyUsageFlags.digitalSignature }),
  },
  {
    what: 'an issuer constrained to another trust domain',
    reason: 'constrained-issuer',
    make: throughIssuer({ extra: [nameConstraints('permitted', 'other.test')] }),
  },
  {
    what: 'an issuer constrained to hosts below',
    reason: 'constrained-issuer',
    make: throughIssuer({ extra: [nameConstraints('permitted', '.example.org')] }),
  },
  {
    what: 'an issuer that excludes the trust domain',
    reason: 'constrained-issuer',
    make: throughIssuer({ extra: [nameConstraints('excluded', 'example.org')] }),
  },
  {
    what: 'an issuer that constrains DNS names above a leaf that has one',
    reason: 'constrained-issuer',
    async make(mesh) {
      const own = await forgeIssuer(mesh.root, { extra: [nameConstraints('permitted', 'example.org', 2)] });
      return present(mesh, [await forgeLeaf(own, goodId, { dns: ['evil.test'] }), own]);
    },
  },
  {
    what: 'an issuer of another trust domain by its own id',
    reason: 'constrained-issuer',
    make: throughIssuer({ uris: ['spiffe://other.test'] }),
  },
  {
    what: 'an issuer with an unknown critical extension',
    reason: 'constrained-issuer',
    make: throughIssuer({ extra: [new x509.Extension('1.2.3.4', true, new Uint8Array([5, 0]))] }),
  },
];

/** Odd, but right: what must pass. */
export const oddPeers: readonly Omit<BadPeer, 'reason'>[] = [
  { what: 'a plain SVID', make: (mesh) => mesh.identity(goodId) },
  {
    what: 'an SVID directly below the root',
    make: async (mesh) => present(mesh, [await forgeLeaf(mesh.root, goodId)]),
  },
  {
    what: 'an SVID that sends its root too',
    make: async (mesh) => present(mesh, [await forgeLeaf(mesh.issuer, goodId), mesh.issuer, mesh.root]),
  },
  { what: 'a DNS name beside the URI', make: withLeaf(goodId, { dns: ['web.example.org'] }) },
  { what: 'a subject', make: withLeaf(goodId, { subject: 'C=US, O=SPIRE' }) },
  {
    what: 'an issuer permitted for the trust domain',
    make: throughIssuer({ extra: [nameConstraints('permitted', 'example.org')] }),
  },
  {
    what: 'an issuer with the trust domain as its id',
    make: throughIssuer({ uris: ['spiffe://example.org'] }),
  },
  { what: 'an RSA key of 2048 bits', make: withLeaf(goodId, { rsaBits: 2048 }) },
  {
    what: 'clocks that differ by ten seconds',
    make: withLeaf(goodId, { notBeforeMs: Date.now() + 10_000 }),
  },
  {
    what: 'an unrelated certificate in the chain',
    async make(mesh) {
      const stray = await forgeRoot('CN=stray');
      return present(mesh, [await forgeLeaf(mesh.issuer, goodId), mesh.issuer, stray]);
    },
  },
];
