import { setTimeout as delay } from 'node:timers/promises';
import { apiClient, type ApiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT, usageError } from '../cli/exit-codes.ts';
import type { Io } from '../cli/io.ts';
import { describeRotation, type CaStatus } from './ca-status.ts';

const POLL_MS = 500;
/** Who is away for less may be on the way back: instances open their connections anew when roots change. */
const AWAY_MS = 5_000;

export const command: Command = defineCommand({
  summary: 'Replace the root of the mesh without a failed handshake, and show how far it is',
  details:
    'The new root is made known to every instance. When each has confirmed that all its processes believe it, or its\n' +
    'certificate has ended, the new root signs and every certificate is renewed. When no certificate below the old root is\n' +
    'valid any more, that is removed, and connections and TLS sessions below it end.\n\n' +
    'It goes on in the control plane also when this command is interrupted; tulle ca status shows it. The command ends\n' +
    'when the new root signs and every instance that is connected has a certificate below it, with --wait when the old\n' +
    'one is gone.',
  options: {
    wait: { type: 'boolean', help: 'until the old root is removed: a certificate lifetime after the switch' },
    detach: { type: 'boolean', help: 'only begin it' },
    'skip-waiting': {
      type: 'boolean',
      help: 'of one that runs: have the new root sign although somebody has not confirmed it',
    },
    'remove-old': {
      type: 'boolean',
      help: 'of one that runs: remove the old root now, e.g. because its key is known to others',
    },
    abandon: { type: 'boolean', help: 'of one that runs: give the new root up while it does not sign' },
    timeout: {
      type: 'number',
      value: 'SECONDS',
      help: 'give up looking after so long; the rotation goes on',
      defaultText: 'none',
    },
    ...API_OPTION,
  },
  examples: [
    { command: 'tulle ca rotate-root', does: 'a new root; shows who has it and who has not' },
    {
      command: 'tulle ca rotate-root --skip-waiting',
      does: 'do not wait for an instance that will not come back',
    },
  ],
  async run({ io, options, signal }) {
    const client = apiClient(await findApi(io, options.api), signal);
    const steps = (['skip-waiting', 'remove-old', 'abandon'] as const).filter((name) => options[name]);
    if (steps.length > 1) throw usageError(`--${steps.join(' and --')} exclude each other`);
    const [step] = steps;
    if (step !== undefined) {
      await client.must('POST', `/api/v1/ca/${STEPS[step].path}`);
      io.err(`${STEPS[step].said}\n`);
      return EXIT.ok;
    }
    const running = await client.must<CaStatus>('GET', '/api/v1/ca');
    if (running.rootRotation === undefined) {
      const begun = await client.must<CaStatus>('POST', '/api/v1/ca/rotate-root');
      if (options.detach) {
        io.err(`begun: the new root is ${begun.rootRotation?.toRootId ?? begun.signingRootId}\n`);
        return EXIT.ok;
      }
    } else io.err('a root is being replaced already; following it\n');
    await follow(client, io, signal, options.wait === true, options.timeout);
    return EXIT.ok;
  },
});

const STEPS = {
  'skip-waiting': { path: 'switch-root', said: 'the new root signs; the old one is believed still' },
  'remove-old': { path: 'remove-old-root', said: 'the old root is removed' },
  abandon: { path: 'abandon-root', said: 'the new root is given up' },
} as const;

/** Says each change of how it stands, until everybody who is there stands on the new root, or the old one is gone. */
async function follow(
  client: ApiClient,
  io: Io,
  signal: AbortSignal,
  toTheEnd: boolean,
  timeoutS: number | undefined,
): Promise<void> {
  const startedMs = performance.now();
  let said = '';
  /** Since when nobody is waited for but those that are away. */
  let awaySinceMs: number | undefined;
  for (;;) {
    const { rootRotation, signingRootId } = await client.must<CaStatus>('GET', '/api/v1/ca');
    const line =
      rootRotation === undefined
        ? `the old root is gone; ${signingRootId} is the only one`
        : describeRotation(rootRotation);
    if (line !== said) io.err(`${line}\n`);
    said = line;
    if (rootRotation === undefined) return;
    const { phase, waitingFor } = rootRotation;
    if (phase === 'overlapping' && !toTheEnd) {
      if (waitingFor.length === 0) return;
      awaySinceMs = waitingFor.some((one) => one.connected) ? undefined : (awaySinceMs ?? performance.now());
      if (awaySinceMs !== undefined && performance.now() - awaySinceMs >= AWAY_MS) return;
    }
    if (timeoutS !== undefined && performance.now() - startedMs > timeoutS * 1000)
      throw new CliError(
        EXIT.failed,
        `it is not done after ${timeoutS} s`,
        'it goes on by itself; tulle ca status shows it, --skip-waiting ends the wait',
      );
    await delay(POLL_MS, undefined, { signal }).catch(() => {
      throw new CliError(EXIT.interrupted, 'interrupted; the rotation goes on, tulle ca status shows it');
    });
  }
}
