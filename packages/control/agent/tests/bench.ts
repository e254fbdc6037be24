import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { createCa, memoryStore, type Ca } from '@tulle/ca';
import type { IdentitySnapshot } from '@tulle/model';
import { createKeyAndCsr, identityHolder, type IdentityHolder } from '@tulle/spiffe';
import type { Counter, Meter } from '@tulle/telemetry';
import type { Clock } from '@tulle/time';
import { type IdentityServer, serveIdentity } from '../src/serve-identity.ts';

export const WEB = 'spiffe://example.org/ns/default/sa/web';

/** An identity that is served on a socket, and a CA that gives it the next. */
export interface AgentBench {
  readonly directory: string;
  readonly ca: Ca;
  readonly identity: IdentityHolder;
  readonly server: IdentityServer;
  /** A client of the socket. */
  readonly client: Client;
  /** What was counted, by name and labels. */
  counted(name: string): number;
  /** Makes another certificate, as a renewal does. */
  renew(): Promise<IdentitySnapshot>;
  close(): Promise<void>;
}

export async function agentBench(options: { clock?: Clock; maxStreams?: number } = {}): Promise<AgentBench> {
  const directory = await mkdtemp(join(tmpdir(), 'ta-'));
  const ca = await createCa({ trustDomain: 'example.org', store: memoryStore() });
  const issue = async (): Promise<IdentitySnapshot> => {
    const { csrDer, privateKeyPem } = await createKeyAndCsr(WEB);
    const { certificateChainPem, notBeforeMs, notAfterMs, serial, bundles } = await ca.issueLocal(
      WEB,
      csrDer,
    );
    return {
      svid: { spiffeId: WEB, certificateChainPem, privateKeyPem, notBeforeMs, notAfterMs, serial },
      bundles,
    };
  };
  const identity = identityHolder(await issue());
  const counts = new Map<string, number>();
  const path = join(directory, 'sds.sock');
  const server = await serveIdentity({ identity, path, meter: countingMeter(counts), ...options });
  const client = new Client(`unix:${path}`, credentials.createInsecure());
  return {
    directory,
    ca,
    identity,
    server,
    client,
    counted: (name) => counts.get(name) ?? 0,
    async renew() {
      const next = await issue();
      identity.set(next);
      return next;
    },
    async close() {
      client.close();
      await server.close();
      await ca.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** What the Workload API wants of every call. */
export function workloadHeader(): Metadata {
  const metadata = new Metadata();
  metadata.set('workload.spiffe.io', 'true');
  return metadata;
}

function countingMeter(counts: Map<string, number>): Meter {
  const key = (name: string, labels: Readonly<Record<string, string>> = {}): string =>
    [name, ...Object.values(labels)].join(' ');
  const counter = (name: string, labels?: Readonly<Record<string, string>>): Counter => ({
    add: (by = 1) => void counts.set(key(name, labels), (counts.get(key(name, labels)) ?? 0) + by),
  });
  return {
    counter: (name, { labels }) => counter(name, labels),
    gauge: () => ({ set: () => undefined, add: () => undefined }),
    histogram: () => ({ observe: () => undefined }),
    observed: () => () => undefined,
  };
}
