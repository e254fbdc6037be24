import { callGrpc, isTulleError, streamGrpc } from '@tulle/filter';
import { STATUS } from '../abi.ts';
import { ReadOnlyFields } from '../field-map.ts';
import { readPairs } from '../pairs.ts';
import type { Called, Vm } from '../vm.ts';
import type { HostFunction } from './guard.ts';

/** Calls of one guest that may be under way. */
const MOST_CALLS = 1_000;
const MAX_ANSWER_BYTES = 1_048_576;
/** Fields that the engine makes itself. */
const OWN = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'te', 'upgrade']);
const GRPC_UNAVAILABLE = 14;

/** Calls to clusters of the proxy's configuration. */
export function callImports(vm: Vm): Record<string, HostFunction> {
  const { host } = vm;
  const isCluster = (name: string): boolean => host.clusterHealth(name) !== undefined;
  const begin = (): number | undefined => (vm.calls.size < MOST_CALLS ? vm.nextCall() : undefined);

  const metadataOf = (pointer: number, length: number): string[] =>
    readPairs(vm.memory.bytes(pointer, length));

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
      if (request === undefined || !isCluster(cluster) || timeoutMs < 1) return STATUS.badArgument;
      // A request with a whole body has none.
      if (readPairs(vm.memory.bytes(trailers, trailersLength)).length > 0) return STATUS.unimplemented;
      const call = begin();
      if (call === undefined) return STATUS.internalFailure;
      const by = vm.effective;
      vm.memory.setU32(callAt, call);
      vm.calls.set(call, undefined);
      host
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

    proxy_grpc_call(
      upstream: number,
      upstreamLength: number,
      service: number,
      serviceLength: number,
      method: number,
      methodLength: number,
      metadata: number,
      metadataLength: number,
      message: number,
      messageLength: number,
      timeoutMs: number,
      callAt: number,
    ) {
      const cluster = vm.memory.utf8(upstream, upstreamLength);
      if (!isCluster(cluster)) return STATUS.parseFailure;
      const call = begin();
      if (call === undefined) return STATUS.internalFailure;
      const by = vm.effective;
      vm.memory.setU32(callAt, call);
      vm.calls.set(call, undefined);
      callGrpc(host, {
        cluster,
        path: `/${vm.memory.utf8(service, serviceLength)}/${vm.memory.utf8(method, methodLength)}`,
        message: Uint8Array.from(vm.memory.bytes(message, messageLength)),
        metadata: metadataOf(metadata, metadataLength),
        timeoutMs: Math.max(timeoutMs, 1),
        maxBytes: MAX_ANSWER_BYTES,
        mayBeEmpty: true,
      })
        .catch((error: unknown) => ({ status: GRPC_UNAVAILABLE, text: String(error), message: undefined }))
        .then(({ status, text, message: answer }) => {
          if (!vm.calls.delete(call)) return;
          const called = { ...NOTHING, body: answer, status, text };
          // An answer is the end of it, too.
          if (status === 0)
            vm.answered(by, called, () => vm.run('proxy_on_grpc_receive', by, call, answer?.length ?? 0));
          else vm.answered(by, called, () => vm.run('proxy_on_grpc_close', by, call, status));
        }, vm.broken);
      return STATUS.ok;
    },

    proxy_grpc_stream(
      upstream: number,
      upstreamLength: number,
      service: number,
      serviceLength: number,
      method: number,
      methodLength: number,
      metadata: number,
      metadataLength: number,
      callAt: number,
    ) {
      const cluster = vm.memory.utf8(upstream, upstreamLength);
      if (!isCluster(cluster)) return STATUS.parseFailure;
      const call = begin();
      if (call === undefined) return STATUS.internalFailure;
      const by = vm.effective;
      vm.memory.setU32(callAt, call);
      const stream = streamGrpc(
        host,
        {
          cluster,
          path: `/${vm.memory.utf8(service, serviceLength)}/${vm.memory.utf8(method, methodLength)}`,
          metadata: metadataOf(metadata, metadataLength),
          maxMessageBytes: MAX_ANSWER_BYTES,
        },
        {
          message: (bytes) => {
            if (vm.calls.has(call))
              vm.answered(by, { ...NOTHING, body: bytes }, () =>
                vm.run('proxy_on_grpc_receive', by, call, bytes.length),
              );
          },
          over: (status, text) => {
            if (vm.calls.delete(call))
              vm.answered(by, { ...NOTHING, status, text }, () =>
                vm.run('proxy_on_grpc_close', by, call, status),
              );
          },
        },
      );
      vm.calls.set(call, stream);
      return STATUS.ok;
    },

    proxy_grpc_send(call: number, message: number, length: number, end: number) {
      const stream = vm.calls.get(call >>> 0);
      if (stream === undefined) return STATUS.notFound;
      stream.send(vm.memory.bytes(message, length));
      if (end !== 0) stream.end();
      return STATUS.ok;
    },
    proxy_grpc_close(call: number) {
      const stream = vm.calls.get(call >>> 0);
      if (stream === undefined) return STATUS.notFound;
      stream.end();
      return STATUS.ok;
    },
    proxy_grpc_cancel(call: number) {
      const stream = vm.calls.get(call >>> 0);
      if (!vm.calls.delete(call >>> 0)) return STATUS.notFound;
      stream?.cancel();
      return STATUS.ok;
    },
  };
}

const NOTHING: Called = { headers: undefined, trailers: undefined, body: undefined, status: 0, text: '' };

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
