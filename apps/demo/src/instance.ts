import { join } from 'node:path';
import { readAccessLog, type LogLine } from './access-log.ts';
import type { Child } from './child.ts';
import { freePort } from './free-port.ts';
import { processTree } from './process-tree.ts';
import { sidecarAdmin, type SidecarAdmin } from './sidecar-admin.ts';
import type { Tulle } from './tulle.ts';

/** A program that runs in the mesh: what `tulle run` started. */
export interface Instance {
  readonly name: string;
  /** Where the program listens, on loopback. */
  readonly port: number;
  /** Where its sidecar takes calls of others. */
  readonly inboundPort: number;
  readonly child: Child;
  readonly admin: SidecarAdmin;
  /** What its sidecar has written about requests, both directions. */
  accessLog(): Promise<LogLine[]>;
  /** Where the program finds a service that it calls. */
  upstreamPort(service: string): number;
  /** Ends program, sidecar and engine in the same moment, as when their machine fails. */
  kill(): void;
  stop(): Promise<void>;
  /** Starts the same again, on the same ports and with the state that it left; it has ended. Resolves when it takes calls. */
  again(): Promise<Instance>;
}

/** What is started beside a sidecar. */
export interface InstanceOptions {
  readonly name: string;
  /** Label of the release, where there are several. */
  readonly version?: string;
  readonly command: readonly [string, ...string[]];
  /** Services that it calls, and the variable in which the program expects the address. */
  readonly calls?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Takes the traces of its sidecar, of requests whose caller asked for them. */
  readonly collectorUrl?: string;
  /** Tell others to come here instead. */
  readonly advertise?: string;
}

/** Starts a program with `tulle run`; resolves when it takes calls. @throws Error with its last words */
export async function startInstance(
  tulle: Tulle,
  { name, version, command, calls = {}, env = {}, collectorUrl, advertise }: InstanceOptions,
  started: (child: Child) => void,
): Promise<Instance> {
  const port = await freePort();
  const upstreams = new Map<string, number>();
  for (const service of Object.keys(calls)) upstreams.set(service, await freePort());
  const variables: Record<string, string> = { PORT: String(port), ...env };
  for (const [service, variable] of Object.entries(calls))
    variables[variable] = `http://127.0.0.1:${upstreams.get(service)}`;
  const logFile = join(tulle.logDir, `${name}-${port}.log`);
  const begin = async (): Promise<Instance> => {
    const child = tulle.start(version === undefined ? name : `${name} ${version}`, [
      ...['run', '--name', name, '--port', String(port), '--start-timeout', '60', '--drain-seconds', '1'],
      ...['--access-log', logFile],
      ...(collectorUrl === undefined ? [] : ['--otlp-endpoint', collectorUrl, '--trace-ratio', '0']),
      ...(version === undefined ? [] : ['--label', `version=${version}`]),
      ...[...upstreams].flatMap(([service, local]) => ['--upstream', `${service}=${local}`]),
      ...(advertise === undefined ? [] : ['--advertise', advertise]),
      '--',
      ...['env', ...Object.entries(variables).map(([key, value]) => `${key}=${value}`)],
      ...command,
    ]);
    started(child);
    const [, inbound = '', socket = ''] = await child.said(/ joined; inbound \S+:(\d+),.* admin (\S+)\n/);
    await child.said(/it takes calls from now on/);
    return {
      name: child.name,
      port,
      inboundPort: Number(inbound),
      child,
      admin: sidecarAdmin(socket),
      accessLog: async () => readAccessLog(logFile),
      upstreamPort(service) {
        const found = upstreams.get(service);
        if (found === undefined) throw new Error(`${name} does not call ${service}`);
        return found;
      },
      kill() {
        for (const pid of processTree(child.pid)) process.kill(pid, 'SIGKILL');
      },
      stop: () => child.stop(),
      again: begin,
    };
  };
  return begin();
}
