import { STATUS } from '../abi.ts';
import { MOST_SHARED, nextQueueId } from '../shared.ts';
import type { Vm } from '../vm.ts';
import type { HostFunction } from './guard.ts';

/** What guests of one VM id have in common. */
export function sharedImports(vm: Vm): Record<string, HostFunction> {
  const { data, queues, queueIds } = vm.shared;
  return {
    proxy_get_shared_data(
      key: number,
      keyLength: number,
      pointerAt: number,
      lengthAt: number,
      casAt: number,
    ) {
      const found = data.get(vm.memory.latin1(key, keyLength));
      if (found === undefined) return STATUS.notFound;
      vm.memory.give(found.value, pointerAt, lengthAt);
      vm.memory.setU32(casAt, found.cas);
      return STATUS.ok;
    },
    proxy_set_shared_data(key: number, keyLength: number, value: number, valueLength: number, cas: number) {
      const name = vm.memory.latin1(key, keyLength);
      const before = data.get(name);
      if (cas !== 0 && cas >>> 0 !== (before?.cas ?? 0)) return STATUS.casMismatch;
      if (before === undefined && data.size >= MOST_SHARED) return STATUS.internalFailure;
      data.set(name, {
        value: Uint8Array.from(vm.memory.bytes(value, valueLength)),
        cas: (before?.cas ?? 0) + 1,
      });
      return STATUS.ok;
    },
    proxy_register_shared_queue(name: number, nameLength: number, queueAt: number) {
      const text = vm.memory.latin1(name, nameLength);
      let id = queueIds.get(text);
      if (id === undefined && queues.size >= MOST_SHARED) return STATUS.internalFailure;
      id ??= nextQueueId();
      const ready = (): void => vm.later(() => vm.run('proxy_on_queue_ready', vm.root, id));
      queueIds.set(text, id);
      queues.set(id, { items: queues.get(id)?.items ?? [], ready });
      vm.memory.setU32(queueAt, id);
      return STATUS.ok;
    },
    proxy_resolve_shared_queue(
      _vmId: number,
      _vmIdLength: number,
      name: number,
      nameLength: number,
      queueAt: number,
    ) {
      const id = queueIds.get(vm.memory.latin1(name, nameLength));
      if (id === undefined) return STATUS.notFound;
      vm.memory.setU32(queueAt, id);
      return STATUS.ok;
    },
    proxy_enqueue_shared_queue(id: number, value: number, length: number) {
      const queue = queues.get(id >>> 0);
      if (queue === undefined) return STATUS.notFound;
      if (queue.items.length >= MOST_SHARED) return STATUS.internalFailure;
      queue.items.push(Uint8Array.from(vm.memory.bytes(value, length)));
      queue.ready();
      return STATUS.ok;
    },
    proxy_dequeue_shared_queue(id: number, pointerAt: number, lengthAt: number) {
      const queue = queues.get(id >>> 0);
      if (queue === undefined) return STATUS.notFound;
      const [item] = queue.items;
      if (item === undefined) return STATUS.empty;
      vm.memory.give(item, pointerAt, lengthAt);
      queue.items.shift();
      return STATUS.ok;
    },
  };
}
