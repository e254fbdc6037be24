import { apiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';
import { LIST_OPTIONS, showView } from '../cli/show-view.ts';
import { labelsText, type JoinToken } from './token-create.ts';

interface KnownJoinToken extends Omit<JoinToken, 'token'> {
  readonly createdAtMs: number;
  readonly state: 'unused' | 'used' | 'revoked' | 'expired';
}

export const command: Command = defineCommand({
  summary: 'Show join tokens: for whom, with which labels, and whether they were used',
  details:
    'Used, revoked and expired ones are kept for a day. A token itself is shown once, when it is made.',
  options: { ...LIST_OPTIONS, ...API_OPTION },
  examples: [{ command: 'tulle token list', does: 'who may still join' }],
  async run({ io, options, signal }) {
    const client = apiClient(await findApi(io, options.api), signal);
    await showView(io, options, signal, async () => {
      const { items } = await client.must<{ items: readonly KnownJoinToken[] }>('GET', '/api/v1/join-tokens');
      return {
        view: {
          rows: items,
          document: (shown: readonly KnownJoinToken[]) => ({ items: shown }),
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
        },
      };
    });
    return EXIT.ok;
  },
});
