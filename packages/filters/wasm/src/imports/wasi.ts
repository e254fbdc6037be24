import { ERRNO } from '../abi.ts';
import type { Vm } from '../vm.ts';
import { nanosecondsOf } from '../nanoseconds.ts';
import { GuestExit, type HostFunction } from './guard.ts';

/** Longest line that is logged. */
export const MAX_LINE_BYTES = 4_096;
const STDERR = 2;

/** What SDKs need of WASI preview 1; there are no files, sockets or arguments. */
export function wasiImports(vm: Vm): Record<string, HostFunction> {
  const { host, settings } = vm;
  const environment = settings.environment.map(([name, value]) => Buffer.from(`${name}=${value}\0`, 'utf8'));
  return {
    fd_write(fd: number, vectors: number, count: number, writtenAt: number) {
      if (fd !== 1 && fd !== STDERR) return ERRNO.badFile;
      let text = '';
      let written = 0;
      for (let index = 0; index < count; index++) {
        const at = (vectors >>> 0) + index * 8;
        const length = vm.memory.getU32(at + 4);
        if (text.length < MAX_LINE_BYTES)
          text += vm.memory.utf8(vm.memory.getU32(at), Math.min(length, MAX_LINE_BYTES));
        written += length;
      }
      host.log[fd === STDERR ? 'error' : 'info'](text.trimEnd().slice(0, MAX_LINE_BYTES));
      vm.memory.setU32(writtenAt, written);
      return ERRNO.success;
    },
    clock_time_get(clock: number, _precision: bigint, timeAt: number) {
      if (clock > 1) return ERRNO.notSupported;
      const ms = clock === 0 ? host.epochMs() : host.nowMs();
      vm.memory.setU64(timeAt, nanosecondsOf(ms));
      return ERRNO.success;
    },
    random_get(pointer: number, length: number) {
      const bytes = vm.memory.bytes(pointer, length);
      for (let index = 0; index < bytes.length; index++) bytes[index] = Math.floor(host.random() * 256);
      return ERRNO.success;
    },
    environ_sizes_get(countAt: number, sizeAt: number) {
      vm.memory.setU32(countAt, environment.length);
      vm.memory.setU32(
        sizeAt,
        environment.reduce((sum, { length }) => sum + length, 0),
      );
      return ERRNO.success;
    },
    environ_get(pointersAt: number, textAt: number) {
      let at = textAt >>> 0;
      environment.forEach((text, index) => {
        vm.memory.bytes(at, text.length).set(text);
        vm.memory.setU32((pointersAt >>> 0) + index * 4, at);
        at += text.length;
      });
      return ERRNO.success;
    },
    args_sizes_get(countAt: number, sizeAt: number) {
      vm.memory.setU32(countAt, 0);
      vm.memory.setU32(sizeAt, 0);
      return ERRNO.success;
    },
    args_get: () => ERRNO.success,
    sched_yield: () => ERRNO.success,
    proc_exit(code: number) {
      throw new GuestExit(`it ended itself with code ${code}`);
    },
  };
}
