import { STATUS, STREAM } from '../abi.ts';
import { readPairs } from '../pairs.ts';
import type { Side } from '../stream-context.ts';
import type { Vm } from '../vm.ts';
import type { HostFunction } from './guard.ts';

/** What becomes of the stream. */
export function streamImports(vm: Vm): Record<string, HostFunction> {
  const goOn = (side: Side): number => {
    const context = vm.current();
    if (context?.stream === undefined) return STATUS.badArgument;
    context[side].resumed = true;
    vm.woken(context);
    return STATUS.ok;
  };
  return {
    proxy_continue_stream(type: number) {
      if (type === STREAM.request) return goOn('request');
      return type === STREAM.response ? goOn('response') : STATUS.badArgument;
    },
    proxy_continue_request: () => goOn('request'),
    proxy_continue_response: () => goOn('response'),
    proxy_close_stream() {
      const context = vm.current();
      if (context?.stream === undefined) return STATUS.badArgument;
      context.closed = true;
      vm.woken(context);
      return STATUS.ok;
    },
    proxy_send_local_response(
      code: number,
      details: number,
      detailsLength: number,
      body: number,
      bodyLength: number,
      headers: number,
      headersLength: number,
      grpcStatus: number,
    ) {
      const context = vm.current();
      if (context?.stream === undefined || context.replied || code < 200 || code > 599)
        return STATUS.badArgument;
      context.reply = {
        status: code,
        // One word, as in Envoy's access log.
        details: vm.memory
          .utf8(details, detailsLength)
          .replace(/[^!-~]+/g, '_')
          .slice(0, 256),
        body: Uint8Array.from(vm.memory.bytes(body, bodyLength)),
        headers: readPairs(vm.memory.bytes(headers, headersLength)),
        grpcStatus,
      };
      vm.woken(context);
      return STATUS.ok;
    },
    /** Matches the route anew by what the guest has changed; before the head has passed. */
    proxy_clear_route_cache() {
      return clearRoute(vm) ? STATUS.ok : STATUS.badArgument;
    },
    proxy_get_status(codeAt: number, pointerAt: number, lengthAt: number) {
      vm.memory.setU32(codeAt, vm.called?.status ?? 0);
      vm.memory.give(Buffer.from(vm.called?.text ?? '', 'utf8'), pointerAt, lengthAt);
      return STATUS.ok;
    },
  };
}

/** @returns false where nothing can be matched any more */
export function clearRoute(vm: Vm): boolean {
  const context = vm.current();
  if (context?.stream === undefined || context.routed) return false;
  context.rematch = true;
  return true;
}
