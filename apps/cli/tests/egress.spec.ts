import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort, tulleBench } from './tulle-bench.ts';
import { call, headersOf, type Answer } from './web-client.ts';

describe('a service outside the mesh', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;
  let outside: Server;
  let port: number;
  let ca: string;
  beforeEach(async () => {
    const made = await tulle('certificate', 'create', 'out', '--certificates', 'out', '--host', 'localhost');
    ca = await readFile(made.out.trim(), 'utf8');
    const key = await readFile(join(bench.dir, 'out/default/out/tls.key'), 'utf8');
    outside = createServer({ cert: ca, key }, (q, r) =>
      r.end(
        JSON.stringify({
          url: q.url,
          headers: { ...q.headers, sni: (q.socket as { servername?: string }).servername },
        }),
      ),
    ).listen(0, 'localhost');
    await new Promise((resolve) => outside.once('listening', resolve));
    ({ port } = outside.address() as AddressInfo);
  });
  afterEach(() => void outside.close());

  const service = (): string =>
    `apiVersion: v1\nkind: Service\nmetadata: { name: partner }\nspec: { type: ExternalName, externalName: localhost, ports: [{ port: 443, targetPort: ${port} }] }\n---\n`;
  const tls = (configMap = 'partner-ca'): string =>
    `apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: { name: partner }\nspec: { targetRefs: [{ group: '', kind: Service, name: partner }], validation: { hostname: localhost, caCertificateRefs: [{ group: '', kind: ConfigMap, name: ${configMap} }] } }\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: partner-ca }\ndata: { ca.crt: ${JSON.stringify(ca)} }\n---\n`;
  const apply = async (...yaml: string[]): Promise<void> => {
    await writeFile(join(bench.dir, 'out.yaml'), yaml.join(''));
    expect(await tulle('apply', '-f', 'out.yaml')).toMatchObject({ code: 0 });
  };
  const caller = async (name: string): Promise<(path?: string) => Promise<Answer>> => {
    const sidecar = start('run', '--name', name, '-u', 'partner=0', '--', 'sleep', '1000');
    const [, local = ''] = await sidecar.said(/partner → 127\.0\.0\.1:(\d+)/);
    return async (path = '/') => call(local, { host: `127.0.0.1:${local}`, path });
  };

  it('is called over TLS with its own name, believing the CAs that are named; never in clear when they are missing', async () => {
    await apply(service(), tls());
    const partner = await caller('web');
    const answer = await partner('/quote');
    expect(answer.status).toBe(200);
    expect(headersOf(answer)).toMatchObject({ host: `localhost:${port}`, sni: 'localhost' });
    expect(answer.text).not.toContain('spiffe://');
    await apply(service(), tls('gone'));
    await expect.poll(async () => (await partner()).status, { timeout: 10_000 }).toBe(503);
    await apply(service(), tls().replace('hostname: localhost', 'hostname: partner.example.org'));
    await expect.poll(async () => (await partner()).status, { timeout: 10_000 }).toBe(503);
    // Of several CAs those that are there are believed, and of two policies the first by name holds.
    await apply(
      service(),
      tls().replace(
        'caCertificateRefs: [',
        "caCertificateRefs: [{ group: '', kind: ConfigMap, name: gone }, ",
      ),
      `apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: { name: shadowed }\nspec: { targetRefs: [{ group: '', kind: Service, name: partner }], validation: { hostname: partner.example.org, wellKnownCACertificates: System } }\n`,
    );
    await expect.poll(async () => (await partner()).status, { timeout: 10_000 }).toBe(200);
    const said = JSON.parse((await tulle('get', 'btlspolicy', '-o', 'json')).out) as {
      items: { metadata: { name: string }; status?: { ancestors: { conditions: { reason: string }[] }[] } }[];
    };
    expect(
      said.items.map(({ metadata: { name }, status }) => [
        name,
        ...(status?.ancestors.flatMap(({ conditions }) => conditions.map((c) => c.reason)) ?? []),
      ]),
    ).toEqual([
      ['partner', 'Accepted', 'InvalidCACertificateRef'],
      ['shadowed', 'Conflicted', 'ResolvedRefs'],
    ]);
  }, 60_000);

  it('is called through an egress gateway, which lets in callers of the mesh only and tells nothing of them', async () => {
    const mesh = await freePort();
    await apply(
      service(),
      tls(),
      `apiVersion: tulle.dev/v1alpha1\nkind: Workload\nmetadata: { name: egress, labels: { app: egress } }\nspec: { address: 127.0.0.1, ports: [{ port: 8443 }], inbound: { mode: sidecar, port: ${mesh} }, serviceAccount: egress }\n---\n`,
      `apiVersion: v1\nkind: Service\nmetadata: { name: egress }\nspec: { selector: { app: egress }, ports: [{ port: 8443 }] }\n---\n`,
      `apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: egress }\nspec: { gatewayClassName: tulle, listeners: [{ name: mesh, port: 8443, protocol: HTTPS, tls: { options: { tulle.dev/callers: mesh } } }] }\n---\n`,
      `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: by-egress }\nspec: { parentRefs: [{ group: '', kind: Service, name: partner }], rules: [{ filters: [{ type: URLRewrite, urlRewrite: { hostname: partner.example.org } }], backendRefs: [{ name: egress, port: 8443 }] }] }\n---\n`,
      `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: at-egress }\nspec: { parentRefs: [{ name: egress }], hostnames: [partner.example.org], rules: [{ backendRefs: [{ name: partner, port: 443 }] }] }\n`,
    );
    await start('gateway', '--name', 'egress', '--listen', `8443=${mesh}`, '--access-log', 'egress.log').said(
      /Gateway default\/egress listens/,
    );
    const partner = await caller('web');
    const answer = await partner('/quote');
    expect(answer.status).toBe(200);
    const seen = headersOf(answer);
    expect(seen).toMatchObject({ host: `localhost:${port}`, sni: 'localhost' });
    expect(Object.keys(seen).filter((name) => name.startsWith('x-forwarded'))).toEqual([]);
    expect(answer.text).not.toContain('spiffe://');
    const log = async (): Promise<string> => readFile(join(bench.dir, 'egress.log'), 'utf8').catch(() => '');
    await expect.poll(log, { timeout: 5_000 }).toMatch(/\/quote.*sa\/web|sa\/web.*\/quote/);
    await expect(call(mesh, { ca, host: 'partner.example.org' })).rejects.toThrow();
    await expect(call(mesh, { host: 'partner.example.org' })).rejects.toThrow();
  }, 60_000);
});
