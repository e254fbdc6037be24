import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateDirectory } from './certificates.ts';
import { writeSelfSigned } from './self-signed.ts';

let directory: string;
let faults: string[];
let certificates: CertificateDirectory;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'certs-'));
  faults = [];
  certificates = new CertificateDirectory({ directory, onFault: (message) => void faults.push(message) });
});
afterEach(async () => rm(directory, { recursive: true }));

describe('a directory of certificates', () => {
  it('has those whose chain and key belong together, and says once what is wrong with others', async () => {
    expect(await certificates.scan()).toBe(false);
    await writeSelfSigned(join(directory, 'default/shop'), { hosts: ['shop.example.com'] });
    await writeSelfSigned(join(directory, 'default/swapped'), { hosts: ['a.example.com', '127.0.0.1'] });
    await writeFile(
      join(directory, 'default/swapped/tls.key'),
      await readFile(join(directory, 'default/shop/tls.key')),
    );
    await writeSelfSigned(join(directory, 'other/lapsed'), { hosts: ['b.example.com'], days: -1 });
    await writeSelfSigned(join(directory, 'other/half'), { hosts: ['b.example.com'] });
    await rm(join(directory, 'other/half/tls.key'));
    await writeFile(join(directory, 'other/half/tls.crt'), 'nothing');
    expect(await certificates.scan()).toBe(true);
    expect(certificates.names).toEqual(['default/shop']);
    expect(faults.sort()).toEqual([
      expect.stringMatching(/default\/swapped cannot be used: the key .* does not belong/),
      expect.stringMatching(/other\/lapsed cannot be used: .* was valid until/),
    ]);
    expect(await certificates.scan()).toBe(false);
    expect(faults).toHaveLength(2);
  });

  it('keeps one that breaks, and takes it again when it is whole', async () => {
    const shop = join(directory, 'default/shop');
    await writeSelfSigned(shop, { hosts: ['shop.example.com'] });
    await certificates.scan();
    await writeFile(join(shop, 'tls.crt'), 'broken');
    await certificates.scan();
    expect(certificates.names).toEqual(['default/shop']);
    expect(faults).toEqual([expect.stringMatching(/the one before stays/)]);
    await rm(shop, { recursive: true });
    await certificates.scan();
    expect(certificates.names).toEqual(['default/shop']);
  });

  it('follows the links by which Kubernetes mounts a Secret', async () => {
    const shop = join(directory, 'default/shop');
    await writeSelfSigned(join(shop, '..2026_11_25'), { hosts: ['shop.example.com'] });
    await symlink('..2026_11_25', join(shop, '..data'));
    for (const file of ['tls.crt', 'tls.key']) await symlink(join('..data', file), join(shop, file));
    await certificates.scan();
    expect(certificates.names).toEqual(['default/shop']);
  });
});
