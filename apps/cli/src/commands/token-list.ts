import { apiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';
import { OUTPUT_OPTION, printView, type Format } from '../cli/output.ts';
import { labelsText, type JoinToken } from './token-create.ts';

interface KnownJoinToken extends Omit<JoinToken, 'token'> {
  readonly createdAtMs: number;
  readonly state: 'unused' | 'used' | 'revoked' | 'expired';
}

export const command: Command = defineCommand({
  summary: 'Show join tokens: for whom, with which labels, and whether they were used',
  details:
    'Used, revoked and expired ones are kept for a day. A token itself is shown once, when it is made.',
  options: { ...OUTPUT_OPTION, ...API_OPTION },
  examples: [{ command: 'tulle token list', does: 'who may still join' }],
  async run({ io, options, signal }) {
    const client = apiClient(await findApi(io, options.api), signal);
    const { items } = await client.must<{ items: readonly KnownJoinToken[] }>('GET', '/api/v1/join-tokens');
    await printView(io, (options.output ?? 'table') as Format, {
      rows: items,
      document: { items },
      name: (t) => t.id,
      columns: [
        { header: 'ID', value: (t) => t.id },
        { header: 'SPIFFE ID', value: (t) => t.spiffeId },
        { header: 'STATE', value: (t) => t.state },
        { header: 'LABELS', value: (t) => labelsText(t.labels) },
        { header: 'EXPIRES', value: (t) => new Date(t.expiresAtMs).toISOString() },
        { header: 'CREATED', value: (t) => new Date(t.createdAtMs).toISOString(), wide: true },
      ],
      empty: 'there is no join token; make one with tulle token create',
    });
    return EXIT.ok;
  },
});
