import type { ApiClient } from '../api/api-client.ts';
import type { OptionSpec } from '../cli/command.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';
import type { Io } from '../cli/io.ts';

/** How far a change got, as `GET /api/v1/changes/ID` tells it. */
interface Change {
  readonly id: string;
  readonly settled: boolean;
  readonly proxies: Readonly<
    Record<
      string,
      {
        readonly state: 'pending' | 'acked' | 'nacked';
        readonly propagationMs?: number;
        readonly error?: string;
      }
    >
  >;
}

/** The option of every command that changes the mesh. */
export const WAIT_OPTION: { readonly wait: OptionSpec & { readonly type: 'number' } } = {
  wait: {
    type: 'number',
    value: 'SECONDS',
    help: 'until the proxies that the change concerns have confirmed it, at most so long; 0: not at all',
    defaultText: '10',
  },
};
const DEFAULT_WAIT_SECONDS = 10;
/** One request waits no longer, whatever was asked. */
const ONE_WAIT_MS = 20_000;

/**
 * Waits until a change holds at every proxy that it concerns, and says so.
 * @throws CliError 1 when a proxy refuses it, or does not confirm in time; the control plane has taken it nevertheless
 */
export async function confirmChange(
  io: Io,
  client: ApiClient,
  changeId: string,
  seconds: number | undefined,
): Promise<void> {
  const waitMs = (seconds ?? DEFAULT_WAIT_SECONDS) * 1000;
  if (waitMs === 0) {
    io.err(`change ${changeId}\n`);
    return;
  }
  const deadlineMs = performance.now() + waitMs;
  let change: Change;
  do {
    const leftMs = Math.ceil(Math.min(ONE_WAIT_MS, Math.max(0, deadlineMs - performance.now())));
    change = await client.must<Change>('GET', `/api/v1/changes/${changeId}?waitMs=${leftMs}`);
  } while (!change.settled && performance.now() < deadlineMs);
  const proxies = Object.entries(change.proxies);
  const refused = proxies.filter(([, { state }]) => state === 'nacked');
  const missing = proxies.filter(([, { state }]) => state === 'pending').map(([id]) => id);
  if (refused.length > 0)
    throw new CliError(
      EXIT.failed,
      `change ${changeId} is refused by ${refused.map(([id, { error }]) => `${id}: ${error ?? 'without a reason'}`).join('; ')}`,
      'what these proxies had before stays in use there; apply it again corrected',
    );
  if (missing.length > 0)
    throw new CliError(
      EXIT.failed,
      change.settled
        ? `change ${changeId} is taken, but these proxies left before they confirmed it: ${missing.join(', ')}`
        : `change ${changeId} is taken, but after ${waitMs / 1000} s these proxies have not confirmed it: ${missing.join(', ')}`,
      'tulle status shows when they have; --wait 0 does not wait for them',
    );
  const slowest = Math.max(0, ...proxies.map(([, { propagationMs }]) => propagationMs ?? 0));
  io.err(
    proxies.length === 0
      ? `change ${changeId}: concerns no proxy that is connected\n`
      : `change ${changeId}: confirmed by ${proxies.length} ${proxies.length === 1 ? 'proxy' : 'proxies'} within ${Math.round(slowest)} ms\n`,
  );
}
