import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningControlPlane, startControlPlane } from '@tulle/app-control-plane';
import { serveIdentity } from '@tulle/agent';
import { createCa, createIdentityClient, type IdentityClient, memoryStore } from '@tulle/ca';
import { freePort, type Ended, runToEnd, type Running, start } from '@tulle/processes';
import { type Sidecar, startSidecar } from '@tulle/sidecar';
import { workloadId } from '@tulle/spiffe';
import { type IdentityPaths, startOrigin, writeIdentity } from '../mesh.ts';
import { CACHE, cached, program } from '../needs.ts';
import type { Opened, Suite } from '../suite.ts';
import { until } from '../until.ts';

const TRUST_DOMAIN = 'mesh.test';
const idOf = (serviceAccount: string): string =>
  workloadId({ trustDomain: TRUST_DOMAIN, namespace: 'default', serviceAccount });

const SOURCES = join(import.meta.dirname, 'program');
const hash = createHash('sha256');
for (const name of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(join(SOURCES, name)));
const KEY = `go-spiffe-${hash.digest('hex').slice(0, 12)}`;
const BINARY = join(CACHE, KEY, 'program');
const binary = cached('the program that uses go-spiffe', KEY, async (directory) => {
  await cp(SOURCES, directory, { recursive: true });
  await runToEnd('go', ['build', '-o', BINARY, '.'], { cwd: directory, timeoutMs: 400_000 });
});

/** A control plane, a sidecar `web` in front of an origin that also calls `gopher`, and identities for the Go program. */
interface Mesh {
  readonly controlPlane: RunningControlPlane;
  readonly sidecar: Sidecar;
  /** Requests that reached the origin. */
  readonly seen: string[];
  /** Of the workload `gopher`, by the mesh's CA and by a foreign one with the same names. */
  readonly gopher: IdentityPaths;
  readonly foreign: IdentityPaths;
  readonly stranger: IdentityPaths;
  keep(running: Running): Running;
  apply(yaml: string): Promise<void>;
}

async function open(): Promise<Opened<Mesh>> {
  const directory = await mkdtemp(join(tmpdir(), 'tgs-')); // short: sockets lie below it
  const controlPlane = await startControlPlane({ stateDir: join(directory, 's'), trustDomain: TRUST_DOMAIN });
  const seen: string[] = [];
  const origin = await startOrigin((request, response) => {
    seen.push(String(request.headers['x-forwarded-client-cert']));
    response.end('hello from web\n');
  });
  const { token } = await controlPlane.ca.createJoinToken({ namespace: 'default', serviceAccount: 'web' });
  const sidecar = await startSidecar({
    name: 'web',
    ports: [{ port: origin.port }],
    upstreams: [{ service: 'gopher', localPort: await freePort() }],
    controlPlane: { xds: [controlPlane.endpoints.xds], trustDomain: TRUST_DOMAIN },
    joinToken: token,
    stateDir: join(directory, 'w'),
    runDir: join(directory, 'r'),
    log: silent,
  });
  await sidecar.ready();
  const foreignCa = await createCa({ trustDomain: TRUST_DOMAIN, store: memoryStore() });
  const running: Running[] = [];
  return {
    context: {
      controlPlane,
      sidecar,
      seen,
      gopher: await writeIdentity(controlPlane.ca, idOf('gopher'), directory, 'gopher'),
      stranger: await writeIdentity(controlPlane.ca, idOf('stranger'), directory, 'stranger'),
      foreign: await writeIdentity(foreignCa, idOf('gopher'), directory, 'foreign'),
      keep(one) {
        running.push(one);
        return one;
      },
      async apply(yaml) {
        const answer = await fetch(`${controlPlane.endpoints.api}/api/v1/apply`, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${controlPlane.endpoints.apiSecret}`,
            'content-type': 'application/yaml',
          },
          body: yaml,
        });
        assert(answer.ok, await answer.clone().text());
      },
    },
    async close() {
      for (const one of running) await one.stop();
      await sidecar.stop(0);
      await foreignCa.close();
      await controlPlane.close();
      origin.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** Refusals are what the cases are about; they are judged by what the other side sees. */
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** Runs the Go program to its end. */
function go(what: string, identity: IdentityPaths, roots: string, ...more: string[]): Promise<Ended> {
  return start(BINARY, [what, TRUST_DOMAIN, identity.certificate, identity.key, roots, ...more]).ended;
}

export const goSpiffeSuite: Suite<Mesh> = {
  name: 'go-spiffe',
  about: 'the reference library of SPIFFE (Go) with SVIDs and sidecars of Tulle',
  needs: [program('go', 'apt-get install golang, or https://go.dev/dl'), binary],
  open,
  cases: [
    {
      name: 'x509svid.Verify accepts an SVID of the CA, and reads its id',
      async run({ gopher }) {
        assert.deepEqual(await go('verify', gopher, gopher.roots), {
          code: 0,
          out: `${idOf('gopher')}\n`,
          err: '',
        });
      },
    },
    {
      name: 'x509svid.Verify refuses an SVID of a foreign CA of the same name',
      async run({ gopher, foreign }) {
        const { code, err } = await go('verify', foreign, gopher.roots);
        assert.equal(code, 1);
        assert.match(err, /certificate signed by unknown authority/);
      },
    },
    {
      name: 'SVIDs of the next issuer verify against the same roots',
      async run({ controlPlane, gopher }) {
        const before = (await readFile(gopher.certificate, 'utf8')).split('END CERTIFICATE')[1];
        await controlPlane.ca.rotateIssuer();
        const next = await writeIdentity(
          controlPlane.ca,
          idOf('gopher'),
          tmpdir(),
          `tulle-next-${process.pid}`,
        );
        try {
          assert.notEqual((await readFile(next.certificate, 'utf8')).split('END CERTIFICATE')[1], before);
          assert.equal((await go('verify', next, gopher.roots)).out, `${idOf('gopher')}\n`);
        } finally {
          for (const file of Object.values(next) as string[]) await rm(file);
        }
      },
    },
    {
      name: "go-spiffe's client reaches a service through its sidecar, which tells the service who called",
      async run({ sidecar, seen, gopher }) {
        const url = `https://127.0.0.1:${sidecar.inbound.port}/`;
        const { code, out, err } = await go('get', gopher, gopher.roots, idOf('web'), url);
        assert.deepEqual([code, out], [0, '200 hello from web\n'], err);
        assert.equal(seen.at(-1), `URI=${idOf('gopher')}`);
      },
    },
    {
      name: 'a client of a foreign CA is refused before its request is read',
      async run({ sidecar, seen, gopher, foreign }) {
        const before = seen.length;
        const url = `https://127.0.0.1:${sidecar.inbound.port}/`;
        const { code, out } = await go('get', foreign, gopher.roots, idOf('web'), url);
        assert.deepEqual([code, out], [1, '']);
        assert.equal(seen.length, before);
      },
    },
    {
      name: "go-spiffe's client refuses the sidecar when it expects another id",
      async run({ sidecar, gopher }) {
        const url = `https://127.0.0.1:${sidecar.inbound.port}/`;
        const { code, err } = await go('get', gopher, gopher.roots, idOf('other'), url);
        assert.equal(code, 1);
        assert.match(err, /unexpected ID "spiffe:\/\/mesh\.test\/ns\/default\/sa\/web"/);
      },
    },
    {
      name: "the sidecar calls go-spiffe's server, and each knows the other",
      async run(mesh) {
        const serve = [
          'serve',
          TRUST_DOMAIN,
          mesh.gopher.certificate,
          mesh.gopher.key,
          mesh.gopher.roots,
          idOf('web'),
        ];
        const server = mesh.keep(start(BINARY, serve));
        const [, port] = await server.said(/serving on 127\.0\.0\.1:(\d+)/);
        await mesh.apply(gopherAt(Number(port)));
        await until('an answer of the Go server', async () =>
          assert.equal(await call(mesh), `200 go says hello to ${idOf('web')}`),
        );
      },
    },
    {
      name: "the sidecar sends nothing to a go-spiffe server that is not the Service's workload",
      async run(mesh) {
        const { stranger } = mesh;
        const serve = [
          'serve',
          TRUST_DOMAIN,
          stranger.certificate,
          stranger.key,
          stranger.roots,
          idOf('web'),
        ];
        const server = mesh.keep(start(BINARY, serve));
        const [, port] = await server.said(/serving on 127\.0\.0\.1:(\d+)/);
        await mesh.apply(gopherAt(Number(port)));
        await until('a refusal by the sidecar', async () => assert.match(await call(mesh), /^503/));
        assert.match(await call(mesh), /^503/);
      },
    },
    {
      name: "go-spiffe's Workload API client gets the agent's SVID, and the next one with each rotation and each new root",
      async run(mesh) {
        const { controlPlane } = mesh;
        const directory = await mkdtemp(join(tmpdir(), 'tgw-'));
        const { token } = await controlPlane.ca.createJoinToken({
          namespace: 'default',
          serviceAccount: 'worker',
        });
        const identity = await createIdentityClient({
          address: controlPlane.endpoints.xds,
          trustDomain: TRUST_DOMAIN,
          namespace: 'default',
          serviceAccount: 'worker',
          joinToken: token,
        });
        await identity.ready();
        const server = await serveIdentity({ identity, path: join(directory, 'sds.sock') });
        try {
          const watching = mesh.keep(start(BINARY, ['workload', TRUST_DOMAIN, server.path]));
          const line = (roots: number): RegExp =>
            new RegExp(`^${idOf('worker')} 0*${serialOf(identity)} ${roots}$`, 'm');
          await watching.said(line(1));
          await identity.renewNow();
          await watching.said(line(1));
          await controlPlane.ca.rotateRoot();
          await until('two roots', () => assert.equal(identity.current()?.bundles[0]?.rootsPem.length, 2));
          await watching.said(line(2));
          assert.doesNotMatch(watching.text, /does not verify|cannot be watched/);
        } finally {
          await server.close();
          await identity.close();
          await rm(directory, { recursive: true });
        }
      },
    },
  ],
};

/** Of the certificate in use, as Go prints a number: without zeros in front. */
function serialOf(identity: IdentityClient): string {
  return (identity.current()?.svid.serial ?? '').toLowerCase().replace(/^0+/, '');
}

function gopherAt(port: number): string {
  return `apiVersion: v1
kind: Service
metadata: { name: gopher }
spec: { selector: { app: gopher }, ports: [{ port: 80, targetPort: ${port} }] }
---
apiVersion: tulle.dev/v1alpha1
kind: Workload
metadata: { name: gopher-1, labels: { app: gopher } }
spec: { address: 127.0.0.1, serviceAccount: gopher, ports: [{ port: ${port} }], inbound: { mode: sidecar, port: ${port} } }
`;
}

async function call({ sidecar }: Mesh): Promise<string> {
  const [upstream] = sidecar.upstreams;
  assert(upstream !== undefined);
  const answer = await fetch(`http://127.0.0.1:${(upstream.address as { port: number }).port}/`);
  return `${answer.status} ${await answer.text()}`;
}
