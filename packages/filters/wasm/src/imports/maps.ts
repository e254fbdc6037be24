import { MAP, STATUS, type Status } from '../abi.ts';
import {
  ChangeableFields,
  RequestFields,
  responseFields,
  type FieldMap,
  type ReadableMap,
} from '../field-map.ts';
import { readPairs, writePairs } from '../pairs.ts';
import type { Vm } from '../vm.ts';
import type { HostFunction } from './guard.ts';
import { clearRoute } from './streams.ts';

/** Heads, trailers and what came back from calls. */
export function mapImports(vm: Vm): Record<string, HostFunction> {
  const find = (type: number): ReadableMap | undefined => {
    switch (type) {
      case MAP.callHeaders:
        return vm.called?.headers;
      case MAP.callTrailers:
        return vm.called?.trailers;
      default:
        return ofStream(vm, type);
    }
  };
  const nameAt = (pointer: number, length: number): string => vm.memory.latin1(pointer, length).toLowerCase();
  const changed = (type: number, change: (map: FieldMap) => boolean): Status => {
    const map = ofStream(vm, type);
    if (map === undefined || !change(map)) return STATUS.badArgument;
    // As in Envoy: a route may ask for any field.
    if (type === MAP.requestHeaders) clearRoute(vm);
    return STATUS.ok;
  };
  return {
    proxy_get_header_map_value(
      type: number,
      key: number,
      keyLength: number,
      pointerAt: number,
      lengthAt: number,
    ) {
      const map = find(type);
      if (map === undefined) return STATUS.badArgument;
      const value = map.get(nameAt(key, keyLength));
      // Of 0.1.0: nothing there is an empty value.
      if (value === undefined && vm.abi !== '0.1.0') return STATUS.notFound;
      vm.memory.giveLatin1(value ?? '', pointerAt, lengthAt);
      return STATUS.ok;
    },
    proxy_get_header_map_pairs(type: number, pointerAt: number, lengthAt: number) {
      const map = find(type);
      if (map === undefined) return STATUS.badArgument;
      vm.memory.give(writePairs(map.pairs()), pointerAt, lengthAt);
      return STATUS.ok;
    },
    proxy_get_header_map_size(type: number, sizeAt: number) {
      const map = find(type);
      if (map === undefined) return STATUS.badArgument;
      vm.memory.setU32(
        sizeAt,
        map.pairs().reduce((sum, text) => sum + text.length, 0),
      );
      return STATUS.ok;
    },
    proxy_set_header_map_pairs(type: number, pointer: number, length: number) {
      const pairs = readPairs(vm.memory.bytes(pointer, length)).map((text, index) =>
        index % 2 === 0 ? text.toLowerCase() : text,
      );
      return changed(type, (map) => map.setAll(pairs));
    },
    proxy_add_header_map_value(
      type: number,
      key: number,
      keyLength: number,
      value: number,
      valueLength: number,
    ) {
      return changed(type, (map) => map.add(nameAt(key, keyLength), vm.memory.latin1(value, valueLength)));
    },
    proxy_replace_header_map_value(
      type: number,
      key: number,
      keyLength: number,
      value: number,
      valueLength: number,
    ) {
      return changed(type, (map) => map.set(nameAt(key, keyLength), vm.memory.latin1(value, valueLength)));
    },
    proxy_remove_header_map_value(type: number, key: number, keyLength: number) {
      return changed(type, (map) => map.remove(nameAt(key, keyLength)));
    },
  };
}

/** @returns `undefined` where there is none: before a response, after the stream */
function ofStream(vm: Vm, type: number): FieldMap | undefined {
  const stream = vm.current()?.stream;
  if (stream === undefined) return undefined;
  switch (type) {
    case MAP.requestHeaders:
      return new RequestFields(stream);
    case MAP.requestTrailers:
      return new ChangeableFields(stream.request.trailers);
    case MAP.responseHeaders:
      return responseFields(stream);
    case MAP.responseTrailers: {
      const response = responseFields(stream) && stream.response;
      return response && new ChangeableFields(response.trailers);
    }
    default:
      return undefined;
  }
}
