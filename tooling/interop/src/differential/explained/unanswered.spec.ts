import { describe, expect, it } from 'vitest';
import type { Exchange, Json } from '../configuration.ts';
import type { Observation } from '../observe.ts';
import { judge, observed, passed, refused, seen } from './support.ts';

const processed = (mode: Json = {}): { httpFilters: readonly Json[] } => ({
  httpFilters: [{ name: 'envoy.filters.http.ext_proc', typed_config: { processing_mode: mode } }],
});
const closed = (right: Observation): Observation => ({ ...right, reply: { ...right.reply, fate: 'closed' } });

describe('strict-http1: no answer of Envoy where a processor takes part in answers', () => {
  it('to what asks whether the connection stays', () => {
    const left = (configuration: object, exchange: Exchange = {}): string[] =>
      judge(closed(passed(exchange)), passed(exchange), exchange, configuration).left;
    expect(left(processed())).toEqual([]);
    expect(left(processed({ response_header_mode: 'SEND' }))).toEqual([]);
    // Not where it is not shown them, nor where there is none; nor is it Envoy alone that may stay.
    expect(left(processed({ response_header_mode: 'SKIP' }))).toEqual(['reply.fate']);
    expect(left({})).toEqual(['reply.fate']);
    expect(judge(passed({}), closed(passed({})), {}, processed()).left).toEqual(['reply.fate']);
  });

  it('to a request of a version that is not accepted', () => {
    const ended: Observation = { tookMs: 1, seen: [], reply: { outcome: 'ended' } };
    const answer = (...statuses: string[]): Observation => {
      const right = closed(refused(Number(statuses[0])));
      return { ...right, reply: { ...right.reply, statuses } };
    };
    const old: Exchange = { protocol: 'raw', bytes: 'GET /there HTTP/1.0\r\nHost: one.test\r\n\r\n' };
    const left = (tulle: Observation, exchange = old, configuration: object = processed()): string[] =>
      judge(ended, tulle, exchange, configuration).left;
    expect(left(answer('500'))).toEqual([]);
    expect(left(answer('426'))).toEqual([]);
    expect(left(answer('200'))).not.toEqual([]);
    expect(left(answer('426', '200'))).not.toEqual([]);
    expect(left({ ...answer('500'), seen: [seen()] })).not.toEqual([]);
    expect(left(answer('500'), { ...old, bytes: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n' })).not.toEqual([]);
    expect(left(answer('500'), old, {})).not.toEqual([]);
    expect(judge(observed(404), answer('500'), old, processed()).left).not.toEqual([]);
  });
});
