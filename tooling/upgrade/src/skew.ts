import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { install, previousRelease, workingTree } from './checkout.ts';
import { startLoad } from './load.ts';
import { startMesh, until, type Confirmed, type Mesh } from './mesh.ts';
import type { Report } from './report.ts';
import { forbid, redirect, service } from './resources.ts';

/** Which side is upgraded first. Of sidecars these are the engines, which move the bytes; their own processes stay. */
const ORDERS = ['control plane', 'data plane'] as const;

/**
 * The release before this one beside this one. First each side with the other's: a change must get through. Then the
 * release before runs a mesh, which is upgraded under load: the control plane by its successor on the same state, sidecars
 * in place, as a package manager does it, engine by engine.
 */
export async function skew(repository: string, report: Report): Promise<void> {
  const before = await previousRelease(repository);
  if ('missing' in before) {
    report.note(`skipped: the release before: ${before.missing}`);
    return;
  }
  const now = await workingTree(repository);
  const root = await mkdtemp(join(tmpdir(), 'tulle-skew-'));
  try {
    report.note(`the release before is ${before.revision}`);
    const old = join(root, 'old');
    await install(repository, before.revision, old);
    await beside('a new control plane, old sidecars', repository, old, report);
    await beside('an old control plane, new sidecars', old, repository, report);
    for (const first of ORDERS) {
      const data = join(root, first.replace(' ', '-'));
      await install(repository, before.revision, data);
      await upgrade(first, { old, data, repository, now }, report);
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function beside(what: string, control: string, data: string, report: Report): Promise<void> {
  const mesh = await startMesh();
  try {
    await mesh.startControlPlane(control);
    await mesh.startSidecar(data, 'web');
    const caller = await mesh.startSidecar(data, 'caller');
    await mesh.apply(control, [service]);
    await until('that calls pass', caller.process, async () => (await mesh.get('/')) === 200);
    claimChange(`${what}: a change is confirmed and holds`, await change(mesh, control, 'it'), report);
  } finally {
    await mesh.close();
  }
}

function claimChange(text: string, { confirmed, effect, refused }: Changed, report: Report): void {
  report.claim(
    text,
    refused === undefined && confirmed.proxies === 2 && effect === '403 302 200',
    refused ??
      `${confirmed.proxies} of 2 proxies, the slowest after ${confirmed.slowestMs} ms; forbidden, redirected and plain paths answer ${effect}`,
  );
}

interface Checkouts {
  /** Of the release before; stays as it is. */
  readonly old: string;
  /** Where sidecars run; the release before, until it is upgraded in place. */
  readonly data: string;
  readonly repository: string;
  /** The revision that it is upgraded to. */
  readonly now: string;
}

async function upgrade(
  first: (typeof ORDERS)[number],
  { old, data, repository, now }: Checkouts,
  report: Report,
): Promise<void> {
  const mesh = await startMesh();
  try {
    await mesh.startControlPlane(old);
    const web = await mesh.startSidecar(data, 'web');
    const caller = await mesh.startSidecar(data, 'caller');
    await mesh.apply(old, [service]);
    await until('that calls pass', caller.process, async () => (await mesh.get('/')) === 200);
    const load = startLoad(mesh.callerPort);
    let controlPlaneFrom = old;
    const steps = {
      'control plane': async () => {
        await mesh.stopControlPlane();
        await mesh.startControlPlane(repository);
        controlPlaneFrom = repository;
        for (const sidecar of [web, caller])
          await until('that it is connected again', sidecar.process, async () => sidecar.connected());
      },
      'data plane': async () => {
        await install(repository, now, data);
        for (const sidecar of [web, caller]) await sidecar.restart();
      },
    };
    const [second] = ORDERS.filter((one) => one !== first);
    for (const [step, what] of [
      [first, `under load the ${first} is upgraded first`],
      [second, `then the ${second}`],
    ] as const) {
      await steps[step as typeof first]();
      claimChange(
        `${what}: a change is confirmed and holds`,
        await change(mesh, controlPlaneFrom, step as string),
        report,
      );
    }
    const counts = await load.stop();
    report.claim(
      'upgrading so loses no request',
      counts.freshFailed === 0 && counts.keptFailed === 0,
      `${counts.freshFailed} of ${counts.fresh} on new connections and ${counts.keptFailed} of ${counts.kept} on kept-alive ones failed; ${counts.idleCloses} were sent again`,
    );
    for (const failure of counts.failures) report.note(failure);

    // Under load this would be a machine that goes: the program's other instances take over. Here there is one.
    await Promise.all([web.stop(), caller.stop()]);
    await mesh.startSidecar(data, 'web');
    const again = await mesh.startSidecar(data, 'caller');
    await until('that calls pass again', again.process, async () => (await mesh.get('/')) === 200);
    report.claim('a new sidecar starts on the state that an old one left', true, 'calls pass');
  } finally {
    await mesh.close();
  }
}

interface Changed {
  readonly confirmed: Confirmed;
  /** Statuses of the forbidden, the redirected and a plain path. */
  readonly effect: string;
  /** Why not every proxy confirmed. */
  readonly refused?: string;
}

/** A policy that `web` enforces and a route that `caller` follows, of paths of their own, and what is seen of them. */
async function change(mesh: Mesh, checkout: string, name: string): Promise<Changed> {
  const key = name.replace(' ', '-');
  let confirmed: Confirmed;
  try {
    confirmed = await mesh.apply(checkout, [
      forbid(`/forbidden-by-${key}`),
      redirect(`/redirected-by-${key}`),
    ]);
  } catch (error) {
    return { confirmed: { proxies: 0, slowestMs: 0 }, effect: '', refused: (error as Error).message };
  }
  const statuses: number[] = [];
  for (const path of [`/forbidden-by-${key}`, `/redirected-by-${key}`, '/plain'])
    statuses.push(await mesh.get(path));
  return { confirmed, effect: statuses.join(' ') };
}
