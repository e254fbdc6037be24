import { readFile, writeFile } from 'node:fs/promises';
import { createServer, request, type RequestOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { freePort, tulleBench } from './tulle-bench.ts';
import { call, headersOf } from './web-client.ts';

interface Pair {
  readonly cert: string;
  readonly key: string;
}

describe('TLS of a gateway', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;
  const certificate = async (name: string, host = `${name}.example.com`): Promise<Pair> => {
    const made = await tulle('certificate', 'create', name, '--certificates', 'certs', '--host', host);
    expect(made).toMatchObject({ code: 0 });
    return {
      cert: await readFile(made.out.trim(), 'utf8'),
      key: await readFile(join(bench.dir, `certs/default/${name}/tls.key`), 'utf8'),
    };
  };
  const apply = async (...yaml: string[]): Promise<void> => {
    await writeFile(join(bench.dir, 'edge.yaml'), yaml.join('---\n'));
    expect(await tulle('apply', '-f', 'edge.yaml')).toMatchObject({ code: 0 });
  };
  const gateway = (tls: string, listeners: string): string =>
    `apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: edge }\nspec: { gatewayClassName: tulle, tls: ${tls}, listeners: [${listeners}] }\n`;
  const configMap = (name: string, { cert }: Pair): string =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: { ca.crt: ${JSON.stringify(cert)} }\n`;
  const serve = async (...listen: string[]): Promise<void> => {
    const ports = listen.flatMap((one) => ['--listen', one]);
    await start('gateway', '--name', 'edge', '--certificates', 'certs', ...ports).said(
      /Gateway default\/edge listens/,
    );
  };
  const https = (name: string, port: number): string =>
    `{ name: ${name}, port: ${port}, protocol: HTTPS, tls: { certificateRefs: [{ name: shop }] } }`;

  it('asks callers for certificates of the CAs that it names, by port, or serves who has none where it is told to', async () => {
    const [shop, alice, mallory] = [
      await certificate('shop'),
      await certificate('alice'),
      await certificate('mallory'),
    ];
    const ref = "caCertificateRefs: [{ group: '', kind: ConfigMap, name: alice }]";
    await apply(
      configMap('alice', alice),
      gateway(
        `{ frontend: { default: { validation: { ${ref} } }, perPort: [{ port: 8443, tls: { validation: { ${ref}, mode: AllowInsecureFallback } } }, { port: 9443, tls: {} }] } }`,
        [https('strict', 443), https('fallback', 8443), https('open', 9443)].join(', '),
      ),
      `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r }\nspec: { parentRefs: [{ name: edge }], rules: [{ filters: [{ type: RequestRedirect, requestRedirect: { hostname: moved.example } }] }] }\n`,
    );
    const [strict, fallback, open] = [await freePort(), await freePort(), await freePort()];
    await serve(`443=${strict}`, `8443=${fallback}`, `9443=${open}`);
    const ask = async (port: string, pair?: Pair): Promise<number | string> =>
      new Promise((resolve) => {
        const options: RequestOptions = {
          ...{ host: '127.0.0.1', port, servername: 'shop.example.com', ca: shop.cert, agent: false },
          ...(pair === undefined ? {} : { cert: pair.cert, key: pair.key }),
        };
        request(options, (response) => resolve(response.resume().statusCode ?? 0))
          .on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
          .end();
      });
    await expect.poll(() => ask(strict, alice), { timeout: 15_000 }).toBe(302);
    for (const pair of [mallory, undefined])
      expect(await ask(strict, pair)).toMatch(/ECONNRESET|EPIPE|ERR_SSL|socket/);
    for (const pair of [alice, mallory, undefined]) {
      expect(await ask(fallback, pair)).toBe(302);
      expect(await ask(open, pair)).toBe(302);
    }
    const status = (await tulle('get', 'gateway', 'edge', '-o', 'yaml')).out.replace(/\s+/g, ' ');
    expect(status).not.toMatch(/status: "False" reason: (?!NoConflicts)/);
  }, 60_000);

  /** A service outside of the mesh that says whose certificate it was shown. */
  const outside = async (own: Pair, callers: Pair): Promise<{ readonly port: number; close(): void }> => {
    const server = createServer(
      { cert: own.cert, key: own.key, ca: callers.cert, requestCert: true, rejectUnauthorized: false },
      ({ socket }, response) => {
        const peer = (socket as TLSSocket).getPeerCertificate() as PeerCertificate | undefined;
        const shown = peer?.subjectaltname ?? 'nothing';
        response.end(
          JSON.stringify({ headers: { shown, believed: String((socket as TLSSocket).authorized) } }),
        );
      },
    ).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    return { port: (server.address() as AddressInfo).port, close: () => void server.close() };
  };
  const partner = (port: number, validation: string): string =>
    [
      `apiVersion: v1\nkind: Service\nmetadata: { name: partner }\nspec: { type: ExternalName, externalName: localhost, ports: [{ port: 443, targetPort: ${port} }] }\n`,
      `apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: { name: partner }\nspec: { targetRefs: [{ group: '', kind: Service, name: partner }], validation: { caCertificateRefs: [{ group: '', kind: ConfigMap, name: partner }], ${validation} } }\n`,
      `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r }\nspec: { parentRefs: [{ name: edge }], rules: [{ backendRefs: [{ name: partner, port: 443 }] }] }\n`,
    ].join('---\n');
  const HTTP = '{ name: http, port: 80, protocol: HTTP }';

  it('shows its certificate to backends outside of the mesh, and says where it has none', async () => {
    const [own, theirs] = [await certificate('edge'), await certificate('partner')];
    const server = await outside(theirs, own);
    try {
      const rest = [configMap('partner', theirs), partner(server.port, 'hostname: partner.example.com')];
      await apply(gateway('{ backend: { clientCertificateRef: { name: edge } } }', HTTP), ...rest);
      const port = await freePort();
      await serve(`80=${port}`);
      const shown = async (): Promise<unknown> => {
        const answer = await call(port);
        return answer.status === 200 ? headersOf(answer) : answer.status;
      };
      const expected = { shown: 'DNS:edge.example.com', believed: 'true' };
      await expect.poll(shown, { timeout: 15_000 }).toEqual(expected);
      await apply(gateway('{ backend: { clientCertificateRef: { name: lost } } }', HTTP), ...rest);
      await expect.poll(shown, { timeout: 15_000 }).toEqual({ shown: 'nothing', believed: 'false' });
      const status = (await tulle('get', 'gateway', 'edge', '-o', 'yaml')).out.replace(/\s+/g, ' ');
      expect(status).toMatch(/status: "False" reason: InvalidClientCertificateRef/);
    } finally {
      server.close();
    }
  }, 60_000);

  it('believes a backend by the names that a policy lists', async () => {
    const theirs = await certificate('partner');
    const server = await outside(theirs, theirs);
    const names = (hostname: string): string =>
      `hostname: other.example.com, subjectAltNames: [{ type: URI, uri: 'spiffe://partner.example/x' }, { type: Hostname, hostname: ${hostname} }]`;
    const applied = async (hostname: string): Promise<void> =>
      apply(gateway('{}', HTTP), configMap('partner', theirs), partner(server.port, names(hostname)));
    try {
      await applied('partner.example.com');
      const port = await freePort();
      await serve(`80=${port}`);
      const status = async (): Promise<number> => (await call(port)).status;
      await expect.poll(status, { timeout: 15_000 }).toBe(200);
      await applied('nobody.example.com');
      await expect.poll(status, { timeout: 15_000 }).toBe(503);
    } finally {
      server.close();
    }
  }, 60_000);
});
