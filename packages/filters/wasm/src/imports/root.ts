import { LOG_LEVEL_INFO, LOG_LEVELS, STATUS } from '../abi.ts';
import type { Vm } from '../vm.ts';
import type { HostFunction } from './guard.ts';
import { clearRoute } from './streams.ts';
import { nanosecondsOf } from '../nanoseconds.ts';
import { MAX_LINE_BYTES } from './wasi.ts';

/** What is of no stream in particular. */
export function rootImports(vm: Vm): Record<string, HostFunction> {
  return {
    proxy_log(level: number, pointer: number, length: number) {
      const write = LOG_LEVELS[level];
      if (write === undefined) return STATUS.badArgument;
      vm.host.log[write](vm.memory.utf8(pointer, Math.min(length >>> 0, MAX_LINE_BYTES)));
      return STATUS.ok;
    },
    proxy_get_log_level(levelAt: number) {
      vm.memory.setU32(levelAt, LOG_LEVEL_INFO);
      return STATUS.ok;
    },
    proxy_get_current_time_nanoseconds(timeAt: number) {
      vm.memory.setU64(timeAt, nanosecondsOf(vm.host.epochMs()));
      return STATUS.ok;
    },
    proxy_set_tick_period_milliseconds(periodMs: number) {
      vm.setTick(periodMs >>> 0);
      return STATUS.ok;
    },
    proxy_set_effective_context(id: number) {
      if (!vm.knows(id)) return STATUS.badArgument;
      vm.effective = id;
      return STATUS.ok;
    },
    proxy_done() {
      return vm.finished(vm.effective) ? STATUS.ok : STATUS.notFound;
    },
    /** Of 0.1.0. */
    proxy_get_configuration(pointerAt: number, lengthAt: number) {
      vm.memory.give(vm.settings.configuration, pointerAt, lengthAt);
      return STATUS.ok;
    },
    proxy_call_foreign_function(name: number, nameLength: number) {
      const text = vm.memory.utf8(name, nameLength);
      if (text === 'clear_route_cache') return clearRoute(vm) ? STATUS.ok : STATUS.badArgument;
      return STATUS.notFound;
    },
    /** Of C++ modules that stand alone: views of their memory are looked for anew at each call. */
    emscripten_notify_memory_growth: () => undefined,
  };
}
