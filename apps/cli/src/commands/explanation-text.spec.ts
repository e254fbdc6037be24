import type { Explanation } from '@tulle/proxy';
import { expect, it } from 'vitest';
import { explanationText } from './explanation-text.ts';

const asIs = (text: string): string => text;
const look = { bold: asIs, dim: asIs, red: asIs, green: asIs, yellow: asIs };

const refused: Explanation = {
  requestId: 'r-1',
  dryRun: false,
  startedAt: '2026-11-25T12:00:00.000Z',
  durationMs: 1.25,
  listener: 'inbound|80||',
  chain: 'mesh',
  generation: 7,
  peerIdentity: 'spiffe://mesh.local/ns/default/sa/web',
  method: 'GET',
  authority: 'orders',
  path: '/admin\u001b[2J',
  upstreamPath: undefined,
  status: 403,
  code: 'TULLE_AUTHZ_DENIED',
  details: 'rbac_access_denied_matched_policy[default/no-admin]',
  hint: 'look at the policies',
  whole: true,
  reasons: [
    {
      site: 'route',
      subject: 'all',
      outcome: 'matched',
      reason: 'first-match',
      detail: 'path begins with /',
      children: [{ site: 'route', subject: 'other', outcome: 'not matched', reason: 'path', detail: '' }],
    },
    { site: 'filter', subject: 'authz', outcome: 'stop', reason: 'request-headers', detail: '', at: 0.5 },
  ],
};

it('is a head for each proxy and its decisions in columns, with nothing that moves a cursor', () => {
  expect(explanationText([{ proxy: 'orders-1', spiffeId: 'spiffe://x', explanation: refused }], look)).toBe(
    [
      'orders-1  GET orders/admin [2J  → 403 TULLE_AUTHZ_DENIED',
      'listener inbound|80|| · from spiffe://mesh.local/ns/default/sa/web · 2026-11-25T12:00:00.000Z, 1.25 ms, request id r-1 · configuration 7',
      '  route    all    matched      first-match  path begins with /',
      '    route  other  not matched  path',
      '  filter   authz  stop         request-headers  (0.5 ms)',
      '  TULLE_AUTHZ_DENIED: look at the policies',
      '',
    ].join('\n'),
  );
});
