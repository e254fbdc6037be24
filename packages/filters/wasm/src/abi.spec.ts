import type { WasmFilterConfig } from '@tulle/model';
import { runChain, type ChainRun } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';
import { bytesOf, moduleOf } from '../tests/text-module.ts';
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

describe('what a guest says of its memory', () => {
  it('is taken as numbers without a sign: all of a buffer is all of it', async () => {
    const { upstreamRequests } = await run(
      `(data (i32.const 100) "x-all")
       ${onHeaders(`
         (drop (call $get_buffer (i32.const 7) (i32.const 0) (i32.const -1) (i32.const 200) (i32.const 204)))
         (drop (call $add (i32.const 0) (i32.const 100) (i32.const 5) (i32.load (i32.const 200)) (i32.load (i32.const 204))))`)}`,
      { configuration: 'every last byte' },
    );
    expect(upstreamRequests[0]?.header('x-all')).toBe('every last byte');
  });

  it.each([
    [
      'a field outside of it',
      '(call $add (i32.const 0) (i32.const 65530) (i32.const 100) (i32.const 0) (i32.const 1))',
      '6',
    ],
    [
      'far outside of it',
      '(call $add (i32.const 0) (i32.const -1) (i32.const -1) (i32.const 0) (i32.const 1))',
      '6',
    ],
    [
      'an answer outside of it',
      '(call $get_buffer (i32.const 7) (i32.const 0) (i32.const 9) (i32.const 65534) (i32.const 204))',
      '6',
    ],
    ['a map that ends too soon', '(call $set_pairs (i32.const 0) (i32.const 300) (i32.const 12))', '6'],
    [
      'a buffer that is none',
      '(call $get_buffer (i32.const 99) (i32.const 0) (i32.const 9) (i32.const 200) (i32.const 204))',
      '1',
    ],
    [
      'behind the end of a buffer',
      '(call $get_buffer (i32.const 7) (i32.const 99) (i32.const 9) (i32.const 200) (i32.const 204))',
      '2',
    ],
    [
      'a map that is none',
      '(call $add (i32.const 99) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))',
      '2',
    ],
    [
      'a response before there is one',
      '(call $add (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))',
      '2',
    ],
    [
      'a field that is not there',
      '(call $get (i32.const 0) (i32.const 300) (i32.const 1) (i32.const 200) (i32.const 204))',
      '1',
    ],
    [
      'a field that is none',
      '(call $add (i32.const 0) (i32.const 310) (i32.const 3) (i32.const 0) (i32.const 1))',
      '2',
    ],
    [
      'a field of the connection',
      '(call $add (i32.const 0) (i32.const 320) (i32.const 10) (i32.const 0) (i32.const 1))',
      '2',
    ],
    ['a level that is none', '(call $log (i32.const 99) (i32.const 0) (i32.const 1))', '2'],
  ])('is checked: %s', async (_what, call, status) => {
    const { upstreamRequests, response } = await run(
      `(data (i32.const 300) "\\ff\\00\\00\\00\\00\\00\\00\\00a:\\00\\00") (data (i32.const 310) "a b") (data (i32.const 320) "connection")
       ${onHeaders(`(call $say ${call})`)}`,
      { configuration: 'abc' },
    );
    expect([response?.status, upstreamRequests[0]?.header('s')]).toEqual([200, status]);
  });

  it('may move while it gives room', async () => {
    const { upstreamRequests } = await run(
      `(data (i32.const 100) "x-all")
       ${onHeaders(`
         (drop (call $get_buffer (i32.const 7) (i32.const 0) (i32.const 9) (i32.const 200) (i32.const 204)))
         (drop (call $add (i32.const 0) (i32.const 100) (i32.const 5) (i32.load (i32.const 200)) (i32.load (i32.const 204))))`)}`,
      { configuration: 'moved' },
      {},
      { malloc: '(drop (memory.grow (i32.const 1)))' },
    );
    expect(upstreamRequests[0]?.header('x-all')).toBe('moved');
  });

  it('is no fault of the stream where it has no room', async () => {
    const { upstreamRequests } = await run(
      onHeaders(
        '(call $say (call $get_buffer (i32.const 7) (i32.const 0) (i32.const 9) (i32.const 200) (i32.const 204)))',
      ),
      { configuration: 'abc' },
      {},
      { malloc: '(return (i32.const 0))' },
    );
    expect(upstreamRequests[0]?.header('s')).toBe('6');
  });
});

describe('a module is refused when its chain is built', () => {
  const build = async (module: WasmFilterConfig['module']): Promise<unknown> =>
    runChain({ filters: [wasm({ module }, { name: 'wasm' })] });

  it.each([
    ['that is no WebAssembly', () => ({ base64: 'AAAA' }), 'is no WebAssembly module'],
    ['that is not there', () => ({ file: '/nowhere/a.wasm' }), '/nowhere/a.wasm cannot be read: ENOENT'],
    ['that is nowhere', () => ({}), 'module'],
    ['without an ABI', () => ({ base64: bytesOf('(module)') }), 'is no Proxy-Wasm module'],
    [
      'of another ABI',
      () => ({ base64: bytesOf('(module (func (export "proxy_abi_version_0_3_0")))') }),
      'speaks proxy_abi_version_0_3_0: it must export one of proxy_abi_version_0_2_1',
    ],
    [
      'that gives no room',
      () => ({
        base64: bytesOf('(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1")))'),
      }),
      'exports no function malloc',
    ],
    [
      'that needs what nobody has',
      () => ({
        base64: bytesOf(`(module
          (import "env" "proxy_launch_rockets" (func)) (import "other" "thing" (func))
          (memory (export "memory") 1) (func (export "malloc") (param i32) (result i32) (i32.const 0))
          (func (export "proxy_on_context_create") (param i32 i32)) (func (export "proxy_abi_version_0_2_1")))`),
      }),
      'imports what is not there: env.proxy_launch_rockets, other.thing',
    ],
    [
      'that ends at its start',
      () => ({
        base64: moduleOf('(func (export "proxy_on_vm_start") (param i32 i32) (result i32) unreachable)'),
      }),
      'the module ended at its start: proxy_on_vm_start: unreachable',
    ],
  ])('%s', async (_what, module, message) => {
    await expect(build(module())).rejects.toThrow(message);
  });
});

it('a module that ended is started anew for the next stream, not more than once a second', async () => {
  const body = `(global $seen (mut i32) (i32.const 0))
    ${onHeaders(`
      (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
      (if (i32.eq (global.get $seen) (i32.const 2)) (then unreachable))
      (call $say (global.get $seen))`)}`;
  const requests = { request: [{}, {}, {}, {}] };
  const reloaded = await run(body, { failureMode: 'reload' }, requests);
  // The third comes too soon after the start.
  expect(reloaded.responses.map(({ status }) => status)).toEqual([200, 503, 503, 503]);
  const denied = await run(body, {}, { ...requests, advanceMs: 1_500 });
  expect(denied.responses.map(({ status }) => status)).toEqual([200, 503, 503, 503]);
  const later = await run(body, { failureMode: 'reload' }, { ...requests, advanceMs: 1_500 });
  expect(later.responses.map(({ status }) => status)).toEqual([200, 503, 200, 503]);
  expect(later.meter.value('tulle_filter_wasm_reloads_total', { filter: 'wasm' })).toBe(1);
});

it('a module of 0.1.0 is told nothing where a field is not there, and has no end of stream', async () => {
  const { upstreamRequests } = await run(
    `(data (i32.const 300) "nothing")
     (func (export "proxy_on_request_headers") (param i32 i32) (result i32)
       (call $say (call $get (i32.const 0) (i32.const 300) (i32.const 7) (i32.const 200) (i32.const 204)))
       (i32.const 0))`,
    {},
    {},
    { abi: '0_1_0' },
  );
  expect(upstreamRequests[0]?.header('s')).toBe('0');
});

it('functions of WASI that filters have no use for are not supported, and no fault', async () => {
  const text = `(module
    (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (memory (export "memory") 1) (func (export "malloc") (param i32) (result i32) (i32.const 0))
    (func (export "proxy_on_context_create") (param i32 i32)) (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
      (i32.eq (i32.const 58) (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0)))))`;
  const base64 = bytesOf(text);
  const { response } = await runChain({ filters: [wasm({ module: { base64 } })] });
  expect(response?.status).toBe(200);
});
