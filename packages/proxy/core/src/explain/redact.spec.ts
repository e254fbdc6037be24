import { expect, it } from 'vitest';
import type { Decision } from '../stream/decision.ts';
import { explainDecision } from './explain-decision.ts';
import { redactParameters } from './redact.ts';

it.each([
  ['page=2&access_token=abc&sort=up', 'page=2&access_token=[redacted]&sort=up'],
  ['code=abc&state=1', 'code=[redacted]&state=1'],
  ['ID_TOKEN=abc', 'ID_TOKEN=[redacted]'],
  ['%74oke%6E=abc', '%74oke%6E=[redacted]'],
  ['auth[password]=a=b;c/d?e&x=1', 'auth[password]=[redacted]&x=1'],
  ['X-Amz-Signature=abc&X-Amz-Credential=id', 'X-Amz-Signature=[redacted]&X-Amz-Credential=[redacted]'],
  ['a=1;token=abc', 'a=1;token=[redacted]'],
  ['next=/back?token=abc&x=1', 'next=/back?token=[redacted]&x=1'],
  ['sig=abc&key=def&secret=', 'sig=[redacted]&key=[redacted]&secret=[redacted]'],
  ['no /cart?token=abc for "shop"', 'no /cart?token=[redacted] for "shop"'],
  ['zip_code=8001&q=token&x', 'zip_code=8001&q=token&x'],
  ['', ''],
])('redacts %s', (text, shown) => {
  expect(redactParameters(text)).toBe(shown);
});

it('takes time in proportion to the length', () => {
  const started = performance.now();
  redactParameters('x'.repeat(2_000_000));
  redactParameters('a='.repeat(1_000_000));
  // The square of it would be hours.
  expect(performance.now() - started).toBeLessThan(30_000);
});

it('keeps credentials of the query out of an explanation, wherever it repeats them', () => {
  const decision: Decision = {
    notes: new Int32Array(0),
    dropped: 0,
    attempts: [],
    chain: undefined,
    peerIdentity: undefined,
    requestId: 'r',
    method: 'GET',
    authority: 'shop.example',
    path: '/cart',
    originalPath: '/cart',
    query: 'page=2&access_token=hidden',
    sentPath: '/cart',
    status: 403,
    code: 'TULLE_ROUTE_NOT_FOUND',
    details: 'nothing serves /cart?access_token=hidden',
    startMs: 0,
    durationMs: 1,
  };
  const explanation = explainDecision(decision, 0);
  expect(explanation.path).toBe('/cart?page=2&access_token=[redacted]');
  expect(explanation.details).toBe('nothing serves /cart?access_token=[redacted]');
  expect(JSON.stringify(explanation)).not.toContain('hidden');
});
