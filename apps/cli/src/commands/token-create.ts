import { apiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT, usageError } from '../cli/exit-codes.ts';
import { OUTPUT_OPTION, printView, type Format } from '../cli/output.ts';
import { parseLabel } from '@tulle/sidecar/flags';

/** A join token, as the API gives it. */
export interface JoinToken {
  readonly token: string;
  readonly id: string;
  readonly spiffeId: string;
  readonly labels: LabelGrant;
  readonly expiresAtMs: number;
}

/** Labels that a workload may claim. */
export type LabelGrant = '*' | Readonly<Record<string, readonly string[]>>;

/** `app=web,version=v1|v2`; `*` for any. */
export const labelsText = (labels: LabelGrant): string =>
  labels === '*'
    ? '*'
    : Object.entries(labels)
        .map(([name, values]) => `${name}=${values.join('|')}`)
        .join(',');

export const command: Command = defineCommand({
  summary: 'Make a join token: it admits one workload once',
  args: [{ name: 'SERVICE_ACCOUNT', help: "whom it admits; the workload's name unless it says otherwise" }],
  options: {
    namespace: {
      type: 'string',
      short: 'n',
      value: 'NAME',
      help: 'namespace of the workload',
      defaultText: 'default',
      env: 'TULLE_NAMESPACE',
    },
    label: {
      type: 'list',
      short: 'l',
      value: 'KEY=VALUE',
      help: 'label that it may claim, so that Services select it; may be repeated',
      defaultText: 'none: only Services of its own name, or that name its account, take it',
    },
    'any-label': { type: 'boolean', help: 'it may claim any label' },
    'lifetime-minutes': {
      type: 'number',
      value: 'N',
      help: 'valid for so long, at most 1440',
      defaultText: '60',
    },
    ...OUTPUT_OPTION,
    ...API_OPTION,
  },
  examples: [
    {
      command: 'TULLE_TOKEN=$(tulle token create web) ssh other-host tulle run --name web …',
      does: 'admit a workload of another machine',
    },
    {
      command: 'tulle token create reviews-v2 --label app=reviews --label version=v2',
      does: 'admit one that the Service reviews selects by label',
    },
  ],
  async run({ io, options, args, signal }) {
    const client = apiClient(await findApi(io, options.api), signal);
    if (options['any-label'] && options.label.length > 0)
      throw usageError('--label and --any-label exclude each other');
    const labels = options['any-label'] ? '*' : Object.fromEntries(options.label.map(parseLabel));
    const minutes = options['lifetime-minutes'];
    const text = JSON.stringify({
      namespace: options.namespace ?? 'default',
      serviceAccount: args[0],
      labels,
      ...(minutes === undefined ? {} : { lifetimeMs: minutes * 60_000 }),
    });
    const token = await client.must<JoinToken>('POST', '/api/v1/join-tokens', {
      type: 'application/json',
      text,
    });
    // Alone on standard output, so that a shell can take it.
    if (options.output === undefined) {
      io.out(`${token.token}\n`);
      io.err(`for ${token.spiffeId}, until ${new Date(token.expiresAtMs).toISOString()}; shown this once\n`);
      return EXIT.ok;
    }
    await printView(io, options.output as Format, {
      rows: [token],
      document: token,
      name: (t) => t.id,
      columns: [
        { header: 'ID', value: (t) => t.id },
        { header: 'SPIFFE ID', value: (t) => t.spiffeId },
        { header: 'LABELS', value: (t) => labelsText(t.labels) },
        { header: 'EXPIRES', value: (t) => new Date(t.expiresAtMs).toISOString() },
        { header: 'TOKEN', value: (t) => t.token },
      ],
    });
    return EXIT.ok;
  },
});
