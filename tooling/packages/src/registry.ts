import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Packed } from './pack.ts';
import { run } from './run.ts';

/** An npm registry on loopback. */
export interface Registry {
  readonly url: string;
  close(): void;
}

/**
 * Serves the packed packages as if they had been published, and sends whoever asks for another one on to the real registry.
 * So a consumer installs by name and range, as a user does, and a range that no package satisfies fails here.
 */
export async function startRegistry(packed: readonly Packed[], upstream: string): Promise<Registry> {
  const tarballs = new Map<string, Buffer>();
  const documents = new Map<string, (url: string) => object>();
  for (const { name, tarball } of packed) {
    const bytes = await readFile(tarball);
    const text = await run('tar', ['-xzOf', tarball, 'package/package.json'], '/');
    const manifest = JSON.parse(text) as { readonly version: string };
    const path = `/-/${name.replace('/', '-')}-${manifest.version}.tgz`;
    tarballs.set(path, bytes);
    const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
    documents.set(name, (url) => ({
      name,
      'dist-tags': { latest: manifest.version },
      versions: { [manifest.version]: { ...manifest, dist: { tarball: url + path, integrity } } },
    }));
  }

  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '/');
    const tarball = tarballs.get(path);
    const document = documents.get(path.slice(1));
    if (tarball) response.end(tarball);
    else if (document) response.end(JSON.stringify(document(url)));
    else response.writeHead(302, { location: new URL((request.url ?? '/').slice(1), upstream).href }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
