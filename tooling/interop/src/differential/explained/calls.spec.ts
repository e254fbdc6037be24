import { expect, it } from 'vitest';
import type { Exchange } from '../configuration.ts';
import type { Observation } from '../observe.ts';
import { judge, observed } from './support.ts';

const call: Exchange = {
  protocol: 'http2',
  method: 'POST',
  headers: [['content-type', 'application/grpc']],
};
const ID = '(request 00000000-0000-4000-8000-000000000001)';
const said = (status: string, message?: string): Observation =>
  observed(200, [], {
    'content-type': 'application/grpc',
    'grpc-status': status,
    ...(message !== undefined && { 'grpc-message': message }),
  });

it('own-replies: a call that the proxy ends has a message of its own', () => {
  const asked = (envoy: Observation, tulle: Observation, exchange = call): string[] =>
    judge(envoy, tulle, exchange).left;
  const own = `TULLE_ROUTE_NOT_FOUND ${ID}`;
  expect(asked(said('12'), said('12', own))).toEqual([]);
  expect(asked(said('12'), said('5', own))).toEqual(['reply.header.grpc-status']);
  expect(asked(said('12'), said('12', 'of an origin'))).toEqual(['reply.header.grpc-message']);
  expect(asked(said('12'), said('12', own), { ...call, method: 'PUT' })).toEqual([
    'reply.header.grpc-message',
  ]);
  const late = `TULLE_REQUEST_TIMEOUT: response_timeout ${ID}`;
  expect(asked(said('14', 'upstream request timeout'), said('4', late))).toEqual([]);
  expect(asked(said('14', 'upstream request timeout'), said('4', own))).toEqual(['reply.header.grpc-status']);
  expect(asked(said('5', 'x'), said('4', late))).toEqual(['reply.header.grpc-status']);
});

it('own-replies: a deadline within an answer is said in its trailers', () => {
  const { reply, ...rest } = observed(200, [], { 'x-origin': 'h2' }, 'x');
  const cut: Observation = { ...rest, reply: { ...reply, outcome: 'cut' } };
  const ended = (status: string, code: string): Observation => ({
    ...rest,
    reply: {
      ...reply,
      trailers: [
        ['grpc-status', status],
        ['grpc-message', `${code}: response_timeout ${ID}`],
      ],
    },
  });
  const asked = (tulle: Observation, envoy = cut): string[] => judge(envoy, tulle, call).left;
  expect(asked(ended('4', 'TULLE_REQUEST_TIMEOUT'))).toEqual([]);
  expect(asked(ended('14', 'TULLE_REQUEST_TIMEOUT'))).not.toEqual([]);
  expect(asked(ended('4', 'TULLE_UPSTREAM_RESET'))).not.toEqual([]);
  expect(asked(ended('4', 'TULLE_REQUEST_TIMEOUT'), { ...rest, reply })).not.toEqual([]);
});
