import type { WasmFilterConfig } from '@tulle/model';
import { runChain, type ChainRun } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';
import { grpcMesh } from '../tests/grpc-mesh.ts';
import { moduleOf } from '../tests/text-module.ts';
import { wasm } from './index.ts';

const run = async (
  body: string,
  config: Partial<WasmFilterConfig> = {},
  rest: Partial<ChainRun> = {},
  made = {},
) =>
  runChain({
    filters: [wasm({ module: { base64: moduleOf(body, made) }, ...config }, { name: 'wasm' })],
    ...rest,
  });
const onHeaders = (body: string): string =>
  `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) ${body} (i32.const 0))`;

const IMPORTS = {
  tick: '(import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))',
  register: '(import "env" "proxy_register_shared_queue" (func $register (param i32 i32 i32) (result i32)))',
  enqueue: '(import "env" "proxy_enqueue_shared_queue" (func $enqueue (param i32 i32 i32) (result i32)))',
  dequeue: '(import "env" "proxy_dequeue_shared_queue" (func $dequeue (param i32 i32 i32) (result i32)))',
  call: '(import "env" "proxy_grpc_call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))',
  stream:
    '(import "env" "proxy_grpc_stream" (func $stream (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))',
  send: '(import "env" "proxy_grpc_send" (func $send (param i32 i32 i32 i32) (result i32)))',
  done: '(import "env" "proxy_done" (func $done (result i32)))',
  effective: '(import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))',
  goOn: '(import "env" "proxy_continue_stream" (func $go_on (param i32) (result i32)))',
  setProperty:
    '(import "env" "proxy_set_property" (func $set_property (param i32 i32 i32 i32) (result i32)))',
  property: '(import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))',
} as const;
const using = (...names: readonly (keyof typeof IMPORTS)[]) => ({
  imports: names.map((name) => IMPORTS[name]).join('\n'),
});

it('ticks come as often as it wants, and no more when it wants none', async () => {
  const { upstreamRequests } = await run(
    `(global $ticks (mut i32) (i32.const 0))
     (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.eqz (call $tick (i32.const 100))))
     (func (export "proxy_on_tick") (param i32)
       (global.set $ticks (i32.add (global.get $ticks) (i32.const 1)))
       (if (i32.eq (global.get $ticks) (i32.const 3)) (then (drop (call $tick (i32.const 0))))))
     ${onHeaders('(call $say (global.get $ticks))')}`,
    {},
    { request: [{}, {}, {}], advanceMs: 250 },
    using('tick'),
  );
  expect(upstreamRequests.map((request) => request.header('s'))).toEqual(['0', '2', '3']);
});

it('a stream that it was not done with is deleted once, when it says so, however often', async () => {
  const { upstreamRequests } = await run(
    `(global $kept (mut i32) (i32.const 0)) (global $deleted (mut i32) (i32.const 0))
     (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.eqz (call $tick (i32.const 100))))
     (func (export "proxy_on_done") (param $id i32) (result i32)
       (if (i32.eq (local.get $id) (i32.const 1)) (then (return (i32.const 1))))
       (global.set $kept (local.get $id)) (i32.const 0))
     (func (export "proxy_on_delete") (param i32) (global.set $deleted (i32.add (global.get $deleted) (i32.const 1))))
     (func (export "proxy_on_tick") (param i32)
       (if (global.get $kept) (then
         (drop (call $effective (global.get $kept)))
         (drop (call $done)) (drop (call $done))
         (global.set $kept (i32.const 0)))))
     ${onHeaders('(call $say (global.get $deleted))')}`,
    {},
    { request: [{}, {}], advanceMs: 250 },
    using('tick', 'done', 'effective'),
  );
  expect(upstreamRequests.map((request) => request.header('s'))).toEqual(['0', '1']);
});

it('a queue tells whoever registered it of what comes, in order', async () => {
  const { upstreamRequests } = await run(
    `(data (i32.const 300) "queue") (data (i32.const 310) "ab")
     (global $heard (mut i32) (i32.const 0))
     (func (export "proxy_on_configure") (param i32 i32) (result i32)
       (i32.eqz (call $register (i32.const 300) (i32.const 5) (i32.const 400))))
     (func (export "proxy_on_queue_ready") (param i32 i32)
       (drop (call $dequeue (local.get 1) (i32.const 200) (i32.const 204)))
       (global.set $heard (i32.sub (i32.load8_u (i32.load (i32.const 200))) (i32.const 96))))
     ${onHeaders(`
       (call $say (global.get $heard))
       (drop (call $enqueue (i32.load (i32.const 400)) (i32.const 310) (i32.const 1)))
       (drop (call $enqueue (i32.load (i32.const 400)) (i32.const 311) (i32.const 1)))`)}`,
    { vmId: 'queues' },
    { request: [{}, {}], advanceMs: 100 },
    using('register', 'enqueue', 'dequeue'),
  );
  expect(upstreamRequests.map((request) => request.header('s'))).toEqual(['0', '2']);
});

it('a body that it has no callback for passes with its length', async () => {
  const { upstreamRequests } = await run(onHeaders(''), {}, { request: { method: 'POST', body: 'abc' } });
  expect(upstreamRequests[0]?.header('content-length')).toBe('3');
});

it('what it sets is its own to read, of the stream', async () => {
  const { upstreamRequests } = await run(
    `(data (i32.const 300) "mine") (data (i32.const 310) "7")
     ${onHeaders(`
       (call $say (call $property (i32.const 300) (i32.const 4) (i32.const 200) (i32.const 204)))
       (drop (call $set_property (i32.const 300) (i32.const 4) (i32.const 310) (i32.const 1)))
       (drop (call $property (i32.const 300) (i32.const 4) (i32.const 200) (i32.const 204)))
       (drop (call $add (i32.const 0) (i32.const 0) (i32.const 1) (i32.load (i32.const 200)) (i32.load (i32.const 204))))`)}`,
    {},
    { request: [{}, {}] },
    using('setProperty', 'property'),
  );
  expect(upstreamRequests.map(({ headers }) => headers.filter(([name]) => name === 's'))).toEqual([
    [
      ['s', '1'],
      ['s', '7'],
    ],
    [
      ['s', '1'],
      ['s', '7'],
    ],
  ]);
});

it('octets of fields are told as they are', async () => {
  const { upstreamRequests } = await run(
    `(data (i32.const 300) "request\\00headers\\00x-a") (data (i32.const 330) "x-b")
     ${onHeaders(`
       (drop (call $property (i32.const 300) (i32.const 19) (i32.const 200) (i32.const 204)))
       (drop (call $add (i32.const 0) (i32.const 330) (i32.const 3) (i32.load (i32.const 200)) (i32.load (i32.const 204))))`)}`,
    {},
    { request: { headers: { 'x-a': 'caf\u00e9' } } },
    using('property'),
  );
  expect(upstreamRequests[0]?.header('x-b')).toBe('caf\u00e9');
});

describe('gRPC', () => {
  const texts = `(data (i32.const 300) "other") (data (i32.const 310) "a.Service") (data (i32.const 320) "Method") (data (i32.const 330) "ask")`;
  const target =
    '(i32.const 300) (i32.const 5) (i32.const 310) (i32.const 9) (i32.const 320) (i32.const 6) (i32.const 0) (i32.const 0)';
  const heard = `
    (func (export "proxy_on_grpc_receive") (param $by i32) (param $call i32) (param $size i32)
      (drop (call $get_buffer (i32.const 5) (i32.const 0) (local.get $size) (i32.const 200) (i32.const 204)))
      (drop (call $add (i32.const 0) (i32.const 0) (i32.const 1) (i32.load (i32.const 200)) (i32.load (i32.const 204))))
      (drop (call $go_on (i32.const 0))))
    (func (export "proxy_on_grpc_close") (param $by i32) (param $call i32) (param $status i32)
      (call $say (local.get $status))
      (drop (call $go_on (i32.const 0))))`;
  const waiting = (body: string): string =>
    `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) ${body} (i32.const 1))`;
  const called = async (body: string, name: 'call' | 'stream', reply: Uint8Array | number) => {
    const { ask } = grpcMesh(
      { base64: moduleOf(texts + heard + waiting(body), { imports: using(name, 'send', 'goOn').imports }) },
      reply,
    );
    const request = await ask();
    return request?.headers.filter(([field]) => field === 's').map(([, value]) => value);
  };
  const ask = `(drop (call $call ${target} (i32.const 330) (i32.const 3) (i32.const 500) (i32.const 400)))`;
  const talk = `
    (drop (call $stream ${target} (i32.const 400)))
    (drop (call $send (i32.load (i32.const 400)) (i32.const 330) (i32.const 3) (i32.const 1)))`;

  it.each([
    ['an answer', ask, 'call', Buffer.from('told'), ['told']],
    ['a status', ask, 'call', 7, ['7']],
    ['a message of a stream', talk, 'stream', Buffer.from('told'), ['told']],
    ['how a stream ended', talk, 'stream', 5, ['5']],
  ] as const)('tells %s', async (_what, body, name, reply, expected) => {
    expect(await called(body, name, reply)).toEqual(expected);
  });
});
