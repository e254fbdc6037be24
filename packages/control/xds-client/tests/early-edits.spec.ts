import type { JsonObject } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { createResourceDecoder } from '../src/index.ts';
import { anyOf, apiSource, grpc, listener, typed } from './sources-kit.ts';

/** Early edits of a listener with these extensions, or paths of what is refused. */
function read(extensions: readonly JsonObject[]): unknown {
  const made = structuredClone(listener('in', 'r', apiSource('delta')));
  const [chain] = made['filter_chains'] as [{ filters: [{ typed_config: JsonObject }] }];
  chain.filters[0].typed_config['early_header_mutation_extensions'] = extensions.map((typed_config) => ({
    name: 'x',
    typed_config,
  }));
  const decoded = createResourceDecoder().decode('listener', anyOf(made), grpc('delta'));
  if (!decoded.ok)
    return decoded.issues.map(({ path }) => path.replace(/^.*early_header_mutation_extensions/, ''));
  const handler = decoded.resource.filterChains[0]?.handler;
  return handler?.kind === 'http' ? handler.earlyEdits : undefined;
}

const mutate = (...mutations: JsonObject[]): JsonObject =>
  typed('envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation', { mutations });
const append = (key: string, value: string, more: JsonObject = {}): JsonObject => ({
  append: { header: { key, value }, ...more },
});

it('early mutations are read in their order, each by itself', () => {
  expect(read([])).toBeUndefined();
  expect(
    read([
      mutate(
        append('x-a', '1'),
        { remove: 'x-b' },
        append('x-c', '%REQ(:path)%', { append_action: 'ADD_IF_ABSENT' }),
      ),
      mutate(
        append('x-empty', ''),
        append('x-kept', '', { keep_empty_value: true, append_action: 'OVERWRITE_IF_EXISTS' }),
      ),
    ]),
  ).toEqual([
    { add: [{ name: 'x-a', value: '1' }] },
    { remove: ['x-b'] },
    { addIfAbsent: [{ name: 'x-c', value: '%REQ(:path)%', format: true }] },
    { setIfPresent: [{ name: 'x-kept', value: '' }] },
  ]);
});

it('early mutations that say nothing, or something else, are refused by path', () => {
  const other = typed('envoy.extensions.filters.http.router.v3.Router', {});
  expect(read([mutate({}, { remove: '' }, append('', 'x')), other])).toEqual([
    '[0].typed_config.mutations[0]',
    '[0].typed_config.mutations[1].remove',
    '[0].typed_config.mutations[2].append.header.key',
    '[1].typed_config',
  ]);
});
