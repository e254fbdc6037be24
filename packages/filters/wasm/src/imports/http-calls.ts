import { isTulleError } from '@tulle/filter';
import { STATUS } from '../abi.ts';
import { ReadOnlyFields } from '../field-map.ts';
import { readPairs } from '../pairs.ts';
import { MAX_ANSWER_BYTES } from '../settings.ts';
import type { Called, Vm } from '../vm.ts';
import type { HostFunction } from './guard.ts';

/** Fields that the engine makes itself. */
const OWN = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'te', 'upgrade']);

/** HTTP calls to clusters of the proxy's configuration. */
export function httpCallImports(vm: Vm): Record<string, HostFunction> {
  return {
    proxy_http_call(
      upstream: number,
      upstreamLength: number,
      headers: number,
      headersLength: number,
      body: number,
      bodyLength: number,
      trailers: number,
      trailersLength: number,
      timeoutMs: number,
      callAt: number,
    ) {
      const cluster = vm.memory.utf8(upstream, upstreamLength);
      const request = requestOf(readPairs(vm.memory.bytes(headers, headersLength)));
      if (request === undefined || !vm.hasCluster(cluster) || timeoutMs < 1) return STATUS.badArgument;
      // A request with a whole body has none.
      if (readPairs(vm.memory.bytes(trailers, trailersLength)).length > 0) return STATUS.unimplemented;
      const call = vm.beginCall(callAt);
      if (call === undefined) return STATUS.internalFailure;
      const by = vm.effective;
      vm.host
        .fetch({
          url: 'http://localhost/',
          cluster,
          ...request,
          body: Uint8Array.from(vm.memory.bytes(body, bodyLength)),
          timeoutMs,
          maxBodyBytes: MAX_ANSWER_BYTES,
        })
        .then(
          ({ status, headers: fields, body: answer, trailers: more }) => ({
            headers: new ReadOnlyFields(fields, [':status', String(status)]),
            trailers: new ReadOnlyFields(more),
            body: answer,
            status: 0,
            text: '',
          }),
          (error: unknown): Called => ({
            headers: undefined,
            trailers: undefined,
            body: undefined,
            status: STATUS.internalFailure,
            text: isTulleError(error) ? error.code : String(error),
          }),
        )
        .then((called) => {
          if (!vm.calls.delete(call)) return;
          vm.answered(by, called, () =>
            vm.run(
              'proxy_on_http_call_response',
              by,
              call,
              (called.headers?.pairs().length ?? 0) / 2,
              called.body?.length ?? 0,
              (called.trailers?.pairs().length ?? 0) / 2,
            ),
          );
        }, vm.broken);
      return STATUS.ok;
    },
  };
}

interface HttpCall {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly headers: readonly string[];
}

/** @returns `undefined` where method, path or authority is missing */
function requestOf(pairs: readonly string[]): HttpCall | undefined {
  const pseudo = new Map<string, string>();
  const headers: string[] = [];
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    const [name, value] = [(pairs[index] as string).toLowerCase(), pairs[index + 1] as string];
    if (name.startsWith(':')) pseudo.set(name, value);
    else if (!OWN.has(name)) headers.push(name, value);
  }
  const [method, target, authority] = [':method', ':path', ':authority'].map((name) => pseudo.get(name));
  if (method === undefined || target?.startsWith('/') !== true || authority === undefined) return undefined;
  return { method, target, authority, headers };
}
