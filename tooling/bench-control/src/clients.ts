import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { MeshSize } from './mesh.ts';

/** What the process of the simulated proxies is given, as a file. */
export interface ClientsSetup {
  /** `host:port` of the control plane. */
  readonly address: string;
  readonly roots: string;
  readonly size: MeshSize;
  /** By service account. PEM. */
  readonly identities: Readonly<
    Record<string, { readonly spiffeId: string; readonly certificate: string; readonly key: string }>
  >;
}

export type ClientsCommand =
  | { readonly kind: 'join'; readonly setupFile: string }
  | { readonly kind: 'take' };

/** What the proxies got of one change. */
export interface Received {
  readonly change: string;
  readonly bytes: number;
  /** When each proxy that it concerned had all of it, in milliseconds since 1970, with fractions. */
  readonly wholeAtMs: readonly number[];
}

export type ClientsReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly joined: number }
  | { readonly kind: 'joined'; readonly bytes: number }
  | { readonly kind: 'received'; readonly changes: readonly Received[] }
  | { readonly kind: 'ended'; readonly proxy: number; readonly reason: string };

/** The simulated proxies. */
export interface Clients {
  /** @returns bytes that they got until each had all of its first configuration @throws Error when one was refused */
  join(setupFile: string, progress: (joined: number) => void): Promise<number>;
  /** What came since the last time. @throws Error when a stream ended */
  take(): Promise<readonly Received[]>;
  close(): Promise<void>;
}

export async function startClients(): Promise<Clients> {
  const child: ChildProcess = fork(join(import.meta.dirname, 'clients-process.ts'), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let listener: ((report: ClientsReport) => void) | undefined;
  let fault: Error | undefined;
  let failed: ((error: Error) => void) | undefined;
  const fail = (error: Error): void => {
    fault ??= error;
    failed?.(error);
  };
  child.on('message', (report: ClientsReport) => {
    if (report.kind === 'ended')
      fail(new Error(`the stream of proxy ${report.proxy} ended: ${report.reason}`));
    else listener?.(report);
  });
  child.once('exit', (code) => fail(new Error(`the process of the simulated proxies ended with ${code}`)));

  /** Sends a command and waits for the report that answers it. */
  function ask<Kind extends ClientsReport['kind']>(
    kind: Kind,
    command?: ClientsCommand,
    heard: (report: ClientsReport) => void = () => {},
  ): Promise<Extract<ClientsReport, { kind: Kind }>> {
    if (fault !== undefined) return Promise.reject(fault);
    return new Promise((resolve, reject) => {
      failed = reject;
      listener = (report) => {
        if (report.kind === kind) resolve(report as Extract<ClientsReport, { kind: Kind }>);
        else heard(report);
      };
      if (command !== undefined) child.send(command);
    });
  }

  await ask('ready');
  return {
    async join(setupFile, progress) {
      const { bytes } = await ask('joined', { kind: 'join', setupFile }, (report) => {
        if (report.kind === 'progress') progress(report.joined);
      });
      return bytes;
    },
    take: async () => (await ask('received', { kind: 'take' })).changes,
    async close() {
      fault = new Error('closed');
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL'); // it holds nothing that could be lost
      await once(child, 'exit');
    },
  };
}
