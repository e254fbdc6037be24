import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startControlPlane, type RunningControlPlane } from '@tulle/app-control-plane';
import type { Resource } from '@tulle/resources';
import { bundleSidecar } from './bundle.ts';
import { pssMb, rssMb } from './cpu.ts';

const SERVICES = 100;
const ENDPOINTS = 1000;
/** After it is in sync nothing happens; what remains is what it keeps. */
const SETTLE_MS = 10_000;
/** Longest wait until it is in sync. */
const SYNC_MS = 60_000;

/** One process of an idle sidecar. */
export interface IdleProcess {
  /** `supervisor and engine` for the two of a sidecar as it is started, `one process` for `--no-supervisor`. */
  readonly sidecar: 'supervisor and engine' | 'one process';
  readonly process: 'supervisor' | 'engine' | 'all';
  readonly rssMb: number;
  /** What is shared with other processes divided among them, so that a sum is a sum. */
  readonly pssMb: number;
}

/**
 * Resident memory of sidecars of a program that calls a hundred services with a thousand endpoints, configured by a control
 * plane over xDS, with an identity, while nobody calls.
 * @param directory for bundles, identities and states
 */
export async function idleSidecar(directory: string): Promise<IdleProcess[]> {
  const controlPlane = await startControlPlane({
    stateDir: join(directory, 'control-plane'),
    log: { debug() {}, info() {}, warn() {}, error: (text) => process.stderr.write(`bench: ${text}\n`) },
  });
  try {
    controlPlane.controlPlane.apply(mesh(), []);
    const program = await bundleSidecar(join(directory, 'sidecar'));
    return [
      ...(await measure('supervisor and engine', program, controlPlane, directory)),
      ...(await measure('one process', program, controlPlane, directory)),
    ];
  } finally {
    await controlPlane.close();
  }
}

/** The figures as a page shows them. */
export function idleTable(processes: readonly IdleProcess[]): string {
  const rows = processes.map(
    (one) =>
      `  ${one.sidecar.padEnd(24)}${one.process.padEnd(12)}${one.rssMb.toFixed(0).padStart(8)}${one.pssMb.toFixed(0).padStart(8)}`,
  );
  return `an idle sidecar with ${SERVICES} services and ${ENDPOINTS} endpoints, MiB\n${' '.repeat(38)}     RSS     PSS\n${rows.join('\n')}\n`;
}

function mesh(): Resource[] {
  const metadata = (name: string) => ({ name, namespace: 'default' });
  return Array.from({ length: SERVICES }, (_, i): Resource[] => [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: metadata(`s${i}`),
      spec: { selector: { app: `s${i}` }, ports: [{ port: 80 }] },
    },
    ...Array.from({ length: ENDPOINTS / SERVICES }, (_unused, k): Resource => ({
      apiVersion: 'tulle.dev/v1alpha1',
      kind: 'Workload',
      metadata: { ...metadata(`s${i}-${k}`), labels: { app: `s${i}` } },
      spec: {
        address: `10.0.${i}.${k}`,
        ports: [{ port: 80 }],
        inbound: { mode: 'sidecar', port: 15_006 },
        serviceAccount: `s${i}`,
      },
    })),
  ]).flat();
}

async function measure(
  sidecar: IdleProcess['sidecar'],
  program: string,
  { ca, controlPlane, endpoints }: RunningControlPlane,
  directory: string,
): Promise<IdleProcess[]> {
  const name = sidecar === 'one process' ? 'one' : 'two';
  const { token } = await ca.createJoinToken({ namespace: 'default', serviceAccount: name });
  const upstreams = Array.from({ length: SERVICES }, (_, i) => ['--upstream', `s${i}=0`]).flat();
  const child = spawn(
    process.execPath,
    [
      program,
      ...['--name', name, '--port', '9', '--no-port-check', ...upstreams],
      ...['--control-plane', endpoints.xds, '--trust-domain', endpoints.trustDomain],
      ...['--state-dir', join(directory, `${name}-state`), '--run-dir', join(directory, `${name}-run`)],
      ...(sidecar === 'one process' ? ['--no-supervisor'] : []),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, TULLE_TOKEN: token } },
  );
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  try {
    await inSync(child, () => said, controlPlane, name);
    await sleep(SETTLE_MS);
    const pid = child.pid as number;
    if (sidecar === 'one process') return [{ sidecar, process: 'all', ...memory(pid) }];
    return [
      { sidecar, process: 'supervisor', ...memory(pid) },
      ...childrenOf(pid).map((engine) => ({ sidecar, process: 'engine' as const, ...memory(engine) })),
    ];
  } finally {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  }
}

/** Waits until the sidecar has confirmed all that it should have. @throws Error with what it said when that takes too long */
async function inSync(
  child: ChildProcess,
  said: () => string,
  controlPlane: RunningControlPlane['controlPlane'],
  name: string,
): Promise<void> {
  const untilMs = performance.now() + SYNC_MS;
  for (;;) {
    const proxy = controlPlane.status().proxies.find((one) => one.workload === name);
    const has = proxy?.kinds.endpoint;
    if (has?.state === 'SYNCED' && Object.keys(has.versions).length === SERVICES) break;
    if (child.exitCode !== null || performance.now() > untilMs)
      throw new Error(`the sidecar did not get its configuration:\n${said()}`);
    await sleep(100);
  }
  const count = controlPlane
    .proxyConfig(controlPlane.status().proxies.find((one) => one.workload === name)?.id ?? '')
    ?.endpoints.reduce((sum, { endpoints }) => sum + endpoints.length, 0);
  if (count !== ENDPOINTS) throw new Error(`the sidecar has ${count} endpoints, not ${ENDPOINTS}`);
}

const memory = (pid: number): Pick<IdleProcess, 'rssMb' | 'pssMb'> => ({
  rssMb: rssMb(pid),
  pssMb: pssMb(pid),
});

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1')
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number),
  );
}
