import { STATUS } from '../abi.ts';
import { readProperty } from '../properties.ts';
import type { Vm } from '../vm.ts';
import type { HostFunction } from './guard.ts';

/** Of one stream. */
const MOST_PROPERTIES = 100;

/** Attributes of the stream, the connection and the plugin, and values of the guest's own. */
export function propertyImports(vm: Vm): Record<string, HostFunction> {
  const pathAt = (pointer: number, length: number): string =>
    vm.memory.utf8(pointer, length).split('\0').filter(Boolean).join('.');
  return {
    proxy_get_property(path: number, pathLength: number, pointerAt: number, lengthAt: number) {
      const value = readProperty(vm, pathAt(path, pathLength));
      if (value === undefined) return STATUS.notFound;
      vm.memory.give(value, pointerAt, lengthAt);
      return STATUS.ok;
    },
    proxy_set_property(path: number, pathLength: number, value: number, valueLength: number) {
      const context = vm.current();
      if (context?.stream === undefined) return STATUS.badArgument;
      const properties = (context.properties ??= new Map());
      const name = pathAt(path, pathLength);
      if (!properties.has(name) && properties.size >= MOST_PROPERTIES) return STATUS.internalFailure;
      properties.set(name, Uint8Array.from(vm.memory.bytes(value, valueLength)));
      return STATUS.ok;
    },
  };
}
