import { callGrpc, isTulleError, streamGrpc, type GrpcStreamCall } from '@tulle/filter';
import { STATUS } from '../abi.ts';
import { readPairs } from '../pairs.ts';
import { MAX_ANSWER_BYTES } from '../settings.ts';
import type { Called, Vm } from '../vm.ts';
import type { HostFunction } from './guard.ts';

const GRPC_DEADLINE_EXCEEDED = 4;
const GRPC_UNAVAILABLE = 14;
const NOTHING: Called = { headers: undefined, trailers: undefined, body: undefined, status: 0, text: '' };

/** Calls of gRPC to clusters of the proxy's configuration, which are named as such. */
export function grpcCallImports(vm: Vm): Record<string, HostFunction> {
  /** Whom a call is for, from the arguments that both functions begin with. @returns `undefined` for no cluster */
  const targetOf = (...args: readonly number[]): Omit<GrpcStreamCall, 'maxMessageBytes'> | undefined => {
    const [upstream = 0, upstreamLength = 0, service = 0, serviceLength = 0, method = 0, methodLength = 0] =
      args;
    const [metadata = 0, metadataLength = 0] = args.slice(6);
    const cluster = vm.memory.utf8(upstream, upstreamLength);
    if (!vm.hasCluster(cluster)) return undefined;
    return {
      cluster,
      path: `/${vm.memory.utf8(service, serviceLength)}/${vm.memory.utf8(method, methodLength)}`,
      metadata: readPairs(vm.memory.bytes(metadata, metadataLength)),
    };
  };
  const received = (by: number, call: number, message: Uint8Array | undefined): void =>
    vm.answered(by, { ...NOTHING, body: message }, () =>
      vm.run('proxy_on_grpc_receive', by, call, message?.length ?? 0),
    );
  const closed = (by: number, call: number, status: number, text: string): void =>
    vm.answered(by, { ...NOTHING, status, text }, () => vm.run('proxy_on_grpc_close', by, call, status));

  return {
    /** The target's arguments, then a message, its length, how long it may take, and where the call's number goes. */
    proxy_grpc_call(...args: number[]) {
      const target = targetOf(...args);
      const [message = 0, messageLength = 0, timeoutMs = 0, callAt = 0] = args.slice(8);
      if (target === undefined) return STATUS.parseFailure;
      const call = vm.beginCall(callAt);
      if (call === undefined) return STATUS.internalFailure;
      const by = vm.effective;
      callGrpc(vm.host, {
        ...target,
        message: Uint8Array.from(vm.memory.bytes(message, messageLength)),
        timeoutMs: Math.max(timeoutMs, 1),
        maxBytes: MAX_ANSWER_BYTES,
        mayBeEmpty: true,
      })
        .catch((error: unknown) => ({ status: statusOf(error), text: String(error), message: undefined }))
        .then(({ status, text, message: answer }) => {
          if (!vm.calls.delete(call)) return;
          // An answer is the end of it, too.
          if (status === 0) received(by, call, answer);
          else closed(by, call, status, text);
        }, vm.broken);
      return STATUS.ok;
    },

    /** The target's arguments, then where the call's number goes. */
    proxy_grpc_stream(...args: number[]) {
      const target = targetOf(...args);
      if (target === undefined) return STATUS.parseFailure;
      const call = vm.beginCall(args[8] ?? 0);
      if (call === undefined) return STATUS.internalFailure;
      const by = vm.effective;
      const stream = streamGrpc(
        vm.host,
        { ...target, maxMessageBytes: MAX_ANSWER_BYTES },
        {
          message: (bytes) => {
            if (vm.calls.has(call)) received(by, call, bytes);
          },
          over: (status, text) => {
            if (vm.calls.delete(call)) closed(by, call, status, text);
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

function statusOf(error: unknown): number {
  return isTulleError(error) && error.code === 'TULLE_REQUEST_TIMEOUT'
    ? GRPC_DEADLINE_EXCEEDED
    : GRPC_UNAVAILABLE;
}
