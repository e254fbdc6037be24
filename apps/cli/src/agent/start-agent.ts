import { hostname } from 'node:os';
import { join } from 'node:path';
import { observeIdentity, type IdentityClient } from '@tulle/ca';
import {
  CERTIFICATE_REFRESH_MS,
  identityDirectory,
  serveIdentity,
  type IdentityDirectory,
  type IdentityPaths,
  type IdentityServer,
  type IdentityServerStatus,
} from '@tulle/agent';
import { lockDirectory } from '@tulle/directory-lock';
import type { Log } from '@tulle/filter';
import { createRegistry } from '@tulle/metrics';
import type { Address, IdentitySource } from '@tulle/model';
import { makePrivateDirectory } from '@tulle/sidecar/directories';
import { openIdentity, type IdentityOptions, type IdentityProgress } from '@tulle/sidecar/identity';
import { announceAgent, withdrawAgent } from './agent-file.ts';
import { serveAgentAdmin } from './agent-admin.ts';

/** Options of {@link startAgent}. */
export interface AgentOptions extends Omit<IdentityOptions, 'stateDir' | 'instance'> {
  readonly name: string;
  readonly namespace: string;
  /** Identity of this agent alone; made with mode 0700, locked while it runs. */
  readonly stateDir: string;
  /** Sockets of this agent alone; made with mode 0700, locked while it runs. A short path. */
  readonly runDir: string;
  /** Where SDS and the Workload API are served. Default: a Unix socket in the run directory. */
  readonly socket?: string | undefined;
  /** Default: a Unix socket in the run directory. A host must be loopback. */
  readonly admin?: Address | undefined;
  /** Whether it also keeps the identity as files in the run directory. Default false. */
  readonly files?: boolean | undefined;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly onProgress: (progress: IdentityProgress) => void;
}

/** A running agent. */
export interface Agent {
  readonly spiffeId: string;
  readonly socket: string;
  readonly admin: Address;
  readonly stateDir: string;
  readonly runDir: string;
  readonly identity: IdentitySource;
  /** The identity as files, where that was asked for. */
  readonly files: IdentityPaths | undefined;
  status(): AgentStatus;
  stop(): Promise<void>;
}

/** Where an agent stands: `GET /status` of its admin interface. */
export interface AgentStatus extends IdentityServerStatus {
  readonly name: string;
  readonly namespace: string;
  readonly spiffeId: string;
  readonly pid: number;
  readonly socket: string;
  readonly certificate: {
    readonly serial: string;
    readonly obtainedAtMs: number;
    readonly expiresAtMs: number;
  };
  readonly bundles: readonly {
    readonly trustDomain: string;
    readonly generation: number;
    readonly roots: number;
  }[];
}

/**
 * Starts an agent: obtains an identity and keeps it, serves it on a Unix socket. With a saved identity it needs no CA.
 * @throws DirectoryInUseError naming the process that uses its directories; what `openIdentity` throws; Error for a socket
 *   that cannot be made. Nothing is left running then
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { name, namespace, stateDir, runDir, log, signal } = options;
  makePrivateDirectory(stateDir);
  makePrivateDirectory(runDir);
  const undo: (() => Promise<void> | void)[] = [];
  const unwind = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    for (const directory of new Set([stateDir, runDir])) {
      const lock = await lockDirectory(directory);
      undo.push(() => lock.release());
    }
    const meter = createRegistry();
    const served: { by?: IdentityServer; files?: IdentityDirectory } = {};
    const { identity, ready } = await openIdentity(
      { ...options, instance: `${name}-${hostname()}-agent` },
      { namespace, serviceAccount: name },
      log,
      meter,
      async (snapshot) => {
        // Who reads files is never heard of; by then it has looked.
        await served.files?.write(snapshot);
        if (served.files !== undefined) await elapsed(CERTIFICATE_REFRESH_MS + READ_MS);
        await served.by?.inUse(snapshot);
      },
      options.onProgress,
    );
    undo.push(async () => identity.close());
    observeIdentity(meter, identity);
    await orAborted(ready(), signal);
    const server = await serveIdentity({
      identity,
      path: options.socket ?? join(runDir, 'sds.sock'),
      log,
      meter,
    });
    served.by = server;
    const first = identity.current();
    if (options.files === true && first !== undefined) {
      served.files = await identityDirectory(join(runDir, 'identity'));
      await served.files.write(first);
    }
    undo.push(async () => server.close());
    const status = (): AgentStatus => statusOf(options, identity, server);
    const admin = await serveAgentAdmin(options.admin ?? { path: join(runDir, 'admin.sock') }, meter, status);
    undo.push(async () => admin.close());
    await announceAgent(runDir, { name, namespace, pid: process.pid, admin: admin.address });
    undo.push(async () => withdrawAgent(runDir));
    return {
      spiffeId: identity.spiffeId,
      socket: server.path,
      admin: admin.address,
      stateDir,
      runDir,
      identity,
      files: served.files,
      status,
      stop: unwind,
    };
  } catch (error) {
    await unwind();
    throw error;
  }
}

/** Reading three files takes no longer. */
const READ_MS = 1_000;

function elapsed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

function statusOf(
  { name, namespace }: AgentOptions,
  identity: IdentityClient,
  server: IdentityServer,
): AgentStatus {
  const { svid, bundles = [] } = identity.current() ?? {};
  return {
    name,
    namespace,
    spiffeId: identity.spiffeId,
    pid: process.pid,
    socket: server.path,
    certificate: {
      serial: svid?.serial ?? '',
      obtainedAtMs: identity.obtainedAtMs ?? 0,
      expiresAtMs: identity.expiresAtMs ?? 0,
    },
    bundles: bundles.map(({ trustDomain, generation, rootsPem }) => ({
      trustDomain,
      generation,
      roots: rootsPem.length,
    })),
    ...server.status(),
  };
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
