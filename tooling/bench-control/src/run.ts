import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCa, directoryStore } from '@tulle/ca';
import type { Resource } from '@tulle/resources';
import { createKeyAndCsr } from '@tulle/spiffe';
import type { ChangeKind } from './changes.ts';
import { type Clients, type ClientsSetup, startClients } from './clients.ts';
import { accountsOf, type MeshSize, resourcesOf } from './mesh.ts';
import { cpuMs, memoryMb, type Plane, startPlane } from './plane.ts';
import { percentile } from './percentile.ts';

/** What one kind of change cost and took, in one mesh. */
export interface ChangeFigures {
  readonly change: string;
  readonly rounds: number;
  /** Proxies that one such change concerns. */
  readonly proxies: number;
  /** From the apply until a proxy's confirmation was there, over all proxies and rounds; NaN where there was none. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** From the request over REST until a proxy had all of it, as the proxies' clock says. */
  readonly arrivedP99Ms: number;
  /** Of responses, for one proxy and one change: without TLS, HTTP/2 and gRPC around them; NaN where nobody confirmed one. */
  readonly bytesPerProxy: number;
  /** CPU time of the control plane for one change. */
  readonly cpuMs: number;
}

/** What one mesh cost. */
export interface MeshFigures extends MeshSize {
  readonly join: { readonly tookMs: number; readonly cpuMs: number; readonly bytesPerProxy: number };
  /** Resident memory of the control plane with everybody joined, and the most of the whole run. */
  readonly rssMb: number;
  readonly peakRssMb: number;
  readonly changes: readonly ChangeFigures[];
}

/** What a run is told. */
export interface RunOptions {
  readonly size: MeshSize;
  readonly changes: readonly ChangeKind[];
  readonly rounds: number;
  /** Where the control plane's CPU profile is written; absent: it is not profiled. */
  readonly profileDir?: string;
  /** Nothing has come for so long before a round begins. Default 500: those that joined last are endpoints that others call. */
  readonly quietMs?: number;
  readonly progress: (line: string) => void;
}

const TRUST_DOMAIN = 'mesh.local';

/** Starts a control plane and its mesh, changes it, and measures. */
export async function runMesh(options: RunOptions): Promise<MeshFigures> {
  const { size, progress } = options;
  const directory = mkdtempSync(join(tmpdir(), 'tulle-bench-control-'));
  let plane: Plane | undefined;
  let clients: Clients | undefined;
  try {
    const stateDir = join(directory, 'state');
    mkdirSync(stateDir, { mode: 0o700 });
    const setup = await certify(stateDir, size);
    plane = await startPlane(
      stateDir,
      options.profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profileDir}`],
    );
    for (const some of inParts(resourcesOf(size))) await plane.apply(some);
    const setupFile = join(directory, 'setup.json');
    writeFileSync(
      setupFile,
      JSON.stringify({ ...setup, address: plane.address, size } satisfies ClientsSetup),
      {
        mode: 0o600,
      },
    );
    clients = await startClients();
    progress(`${size.services} Services applied; ${size.proxies} proxies join`);
    const startedMs = performance.now();
    const cpuBefore = cpuMs(plane.pid);
    const bytes = await clients.join(setupFile, (joined) => progress(`${joined} joined`));
    const tookMs = performance.now() - startedMs;
    const joinCpuMs = cpuMs(plane.pid) - cpuBefore;
    await quiet(clients, options);
    const { now: rssMb } = memoryMb(plane.pid);
    progress(`all joined in ${(tookMs / 1000).toFixed(1)} s; ${rssMb.toFixed(0)} MiB`);
    const changes: ChangeFigures[] = [];
    for (const kind of options.changes) {
      changes.push(await measure(kind, plane, clients, options));
      progress(`${kind.name}: done`);
    }
    return {
      ...size,
      join: { tookMs, cpuMs: joinCpuMs, bytesPerProxy: bytes / size.proxies },
      rssMb,
      peakRssMb: memoryMb(plane.pid).peak,
      changes,
    };
  } finally {
    await clients?.close();
    await plane?.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Makes the CA that the control plane will open, and has it certify every service account. */
async function certify(
  stateDir: string,
  size: MeshSize,
): Promise<Pick<ClientsSetup, 'roots' | 'identities'>> {
  const ca = await createCa({ trustDomain: TRUST_DOMAIN, store: directoryStore(join(stateDir, 'ca')) });
  try {
    const identities: Record<string, ClientsSetup['identities'][string]> = {};
    let roots = '';
    for (const account of accountsOf(size)) {
      const spiffeId = `spiffe://${TRUST_DOMAIN}/ns/default/sa/${account}`;
      const { csrDer, privateKeyPem } = await createKeyAndCsr(spiffeId);
      const { certificateChainPem, bundles } = await ca.issueLocal(spiffeId, csrDer);
      identities[account] = { spiffeId, certificate: certificateChainPem, key: privateKeyPem };
      roots = bundles.flatMap(({ rootsPem }) => rootsPem).join('');
    }
    return { roots, identities };
  } finally {
    await ca.close();
  }
}

/** Resources in parts that a request may hold. */
function* inParts(resources: readonly Resource[]): Generator<readonly Resource[]> {
  for (let at = 0; at < resources.length; at += 1_000) yield resources.slice(at, at + 1_000);
}

/** Resolves when nothing has come for a while. */
async function quiet(clients: Clients, { quietMs = 500 }: RunOptions): Promise<void> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, quietMs));
    if ((await clients.take()).length === 0) return;
  }
}

async function measure(
  kind: ChangeKind,
  plane: Plane,
  clients: Clients,
  options: RunOptions,
): Promise<ChangeFigures> {
  const { rounds } = options;
  await clients.take();
  const confirmed: number[] = [];
  const arrived: number[] = [];
  let [bytes, cpu, proxies] = [0, 0, 0];
  for (let round = 0; round < rounds; round++) {
    await kind.prepare?.(plane, round);
    await quiet(clients, options);
    const cpuBefore = cpuMs(plane.pid);
    const startedAtMs = performance.timeOrigin + performance.now();
    const change = await kind.apply(plane, round);
    const took = await plane.confirmed(change);
    cpu += cpuMs(plane.pid) - cpuBefore;
    confirmed.push(...took);
    proxies = Math.max(proxies, took.length);
    for (const one of await clients.take()) {
      bytes += one.bytes;
      arrived.push(...one.wholeAtMs.map((atMs) => atMs - startedAtMs));
    }
  }
  return {
    change: kind.name,
    rounds,
    proxies,
    p50Ms: percentile(confirmed, 50),
    p99Ms: percentile(confirmed, 99),
    maxMs: percentile(confirmed, 100),
    arrivedP99Ms: percentile(arrived, 99),
    bytesPerProxy: bytes / confirmed.length,
    cpuMs: cpu / rounds,
  };
}
