import { setTimeout as sleep } from 'node:timers/promises';
import type { SidecarStatus } from '@tulle/sidecar';
import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT, usageError } from '../cli/exit-codes.ts';
import type { Io } from '../cli/io.ts';
import { adminClient, isNamed, localProxies } from '../proxies/local-proxies.ts';

/** How often a proxy is asked. */
const EVERY_MS = 100;
/** As long as `tulle run` waits for its first configuration. */
const TIMEOUT_SECONDS = 60;

export const command: Command = defineCommand({
  summary: 'Wait until a proxy of this machine takes calls',
  details:
    'For scripts and units that start something after it: a proxy takes calls when it has its identity and its first\nconfiguration, its listeners are open, and its program accepts connections. One that does not run yet is waited for as well.',
  args: [{ name: 'PROXY', help: 'workload or instance, or either with .namespace, or node id' }],
  options: {
    timeout: {
      type: 'number',
      value: 'SECONDS',
      help: 'give up after so long',
      defaultText: String(TIMEOUT_SECONDS),
    },
  },
  examples: [
    { command: 'tulle wait web && ./smoke-test.sh', does: 'test web when it is there' },
    { command: 'tulle wait web --timeout 5', does: 'fail with 1 unless web takes calls within five seconds' },
  ],
  async run({ io, options, args, signal }) {
    const [wanted = ''] = args;
    const { timeout = TIMEOUT_SECONDS } = options;
    if (!(timeout >= 0)) throw usageError(`--timeout ${timeout} is no number of seconds from 0 on`);
    const endMs = performance.now() + timeout * 1_000;
    for (;;) {
      const waitsFor = await notReady(io, wanted, signal);
      if (waitsFor === undefined) return EXIT.ok;
      if (performance.now() >= endMs)
        throw new CliError(
          EXIT.failed,
          `${wanted} does not take calls after ${timeout} s: ${waitsFor}`,
          'its own log says what it waits for; tulle status shows what the control plane knows of it',
        );
      await sleep(EVERY_MS, undefined, { signal });
    }
  },
});

/** @returns why not; `undefined` when every proxy of that name takes calls */
async function notReady(io: Io, wanted: string, signal: AbortSignal): Promise<string | undefined> {
  const proxies = (await localProxies(io)).filter((proxy) => isNamed(proxy, wanted));
  if (proxies.length === 0) return 'no such proxy runs on this machine';
  for (const proxy of proxies) {
    try {
      const admin = adminClient(proxy, signal);
      await admin.text('/ready');
      const { serving } = await admin.must<Pick<SidecarStatus, 'serving'>>('GET', '/sidecar');
      if (!serving) return `the program of ${proxy.instance} does not accept connections yet`;
    } catch (error) {
      if (!(error instanceof CliError) || signal.aborted) throw error;
      return error.message;
    }
  }
  return undefined;
}
