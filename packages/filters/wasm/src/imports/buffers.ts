import { BUFFER, STATUS } from '../abi.ts';
import type { Vm } from '../vm.ts';
import type { HostFunction } from './guard.ts';

/** Bodies, messages and configurations, read and changed piece by piece. */
export function bufferImports(vm: Vm): Record<string, HostFunction> {
  const read = (type: number): Uint8Array | undefined => {
    switch (type) {
      case BUFFER.requestBody:
        return vm.current()?.request.body;
      case BUFFER.responseBody:
        return vm.current()?.response.body;
      case BUFFER.callBody:
        return vm.called?.body;
      case BUFFER.grpcMessage:
        return vm.called?.body;
      case BUFFER.vmConfiguration:
        return vm.settings.vmConfiguration;
      case BUFFER.pluginConfiguration:
        return vm.settings.configuration;
      default:
        return undefined;
    }
  };
  return {
    proxy_get_buffer_bytes(type: number, start: number, max: number, pointerAt: number, lengthAt: number) {
      const bytes = read(type);
      if (bytes === undefined) return STATUS.notFound;
      const from = start >>> 0;
      const length = max >>> 0;
      if (from > bytes.length) return STATUS.badArgument;
      vm.memory.give(bytes.subarray(from, from + length), pointerAt, lengthAt);
      return STATUS.ok;
    },
    proxy_get_buffer_status(type: number, lengthAt: number, flagsAt: number) {
      const bytes = read(type);
      if (bytes === undefined) return STATUS.notFound;
      vm.memory.setU32(lengthAt, bytes.length);
      vm.memory.setU32(flagsAt, 0);
      return STATUS.ok;
    },
    proxy_set_buffer_bytes(type: number, start: number, size: number, pointer: number, length: number) {
      const context = vm.current();
      const side =
        type === BUFFER.requestBody
          ? context?.request
          : type === BUFFER.responseBody
            ? context?.response
            : undefined;
      if (side === undefined) return STATUS.badArgument;
      const from = Math.min(start >>> 0, side.body.length);
      const to = Math.min(from + (size >>> 0), side.body.length);
      const put = vm.memory.bytes(pointer, length);
      if (side.body.length - (to - from) + put.length > vm.settings.maxBodyBytes) return STATUS.badArgument;
      side.body = Buffer.concat([side.body.subarray(0, from), put, side.body.subarray(to)]);
      return STATUS.ok;
    },
  };
}
