/** The simulated proxies of a run, in a process of their own; told what to do by its parent's messages. */
import { readFile } from 'node:fs/promises';
import { checkServerIdentity } from 'node:tls';
import { AdsClient } from './ads-client.ts';
import type { ClientsCommand, ClientsReport, ClientsSetup, Received } from './clients.ts';
import { proxiesOf } from './mesh.ts';

/** Handshakes at once: a mesh that starts does not come in one moment either. */
const CONNECTING = 50;

const clients: AdsClient[] = [];
/** By change. */
const received = new Map<string, { bytes: number; readonly wholeAtMs: Map<number, number> }>();
const nowMs = (): number => performance.timeOrigin + performance.now();
const tell = (report: ClientsReport): void => void process.send?.(report);

async function join(setup: ClientsSetup): Promise<void> {
  const proxies = proxiesOf(setup.size);
  const waiting = new Map<number, () => void>();
  let [bytes, next, whole] = [0, 0, 0];
  const one = async (): Promise<void> => {
    for (let i = next++; i < proxies.length; i = next++) {
      const proxy = proxies[i] as (typeof proxies)[number];
      const identity = setup.identities[proxy.account] as ClientsSetup['identities'][string];
      const joined = new Promise<void>((resolve) => waiting.set(i, resolve));
      clients.push(
        new AdsClient(
          setup.address,
          {
            cert: identity.certificate,
            key: identity.key,
            ca: setup.roots,
            minVersion: 'TLSv1.3',
            // The mesh's ids are no host names; whom the client reached is no part of what is measured.
            checkServerIdentity: (host, certificate) =>
              certificate.subjectaltname?.includes('URI:spiffe://') === true
                ? undefined
                : checkServerIdentity(host, certificate),
          },
          identity.spiffeId,
          proxy,
          {
            response(response, size) {
              bytes += size;
              let of = received.get(response.change);
              if (of === undefined) received.set(response.change, (of = { bytes: 0, wholeAtMs: new Map() }));
              of.bytes += size;
              if (!response.last) return;
              of.wholeAtMs.set(i, nowMs());
              waiting.get(i)?.();
              waiting.delete(i);
            },
            ended: (reason) => tell({ kind: 'ended', proxy: i, reason }),
          },
        ),
      );
      await joined;
      if (++whole % 100 === 0) tell({ kind: 'progress', joined: whole });
    }
  };
  await Promise.all(Array.from({ length: CONNECTING }, one));
  tell({ kind: 'joined', bytes });
}

function take(): Received[] {
  const all = [...received].map(([change, { bytes, wholeAtMs }]) => ({
    change,
    bytes,
    wholeAtMs: [...wholeAtMs.values()],
  }));
  received.clear();
  return all;
}

process.on('message', (command: ClientsCommand) => {
  if (command.kind === 'take') tell({ kind: 'received', changes: take() });
  else
    void readFile(command.setupFile, 'utf8')
      .then((text) => join(JSON.parse(text) as ClientsSetup))
      .catch((error: Error) => tell({ kind: 'ended', proxy: -1, reason: error.message }));
});
process.once('disconnect', () => process.exit(0));
tell({ kind: 'ready' });
