import type { FilterHost } from '@tulle/filter';
import { METRIC, STATUS } from '../abi.ts';
import type { Vm } from '../vm.ts';
import type { HostFunction } from './guard.ts';

/** Of one guest: what it names after what came must not fill the registry. */
const MOST_METRICS = 1_000;

interface Metric {
  readonly type: number;
  value: bigint;
  /** @param value what it has now @param by what it has more than before */
  tell(value: bigint, by: bigint): void;
}

/** Metrics of the guest's own, as `tulle_filter_wasm_<name>`. */
export function metricImports(vm: Vm): Record<string, HostFunction> {
  const metrics: Metric[] = [];
  const ids = new Map<string, number>();
  const record = (id: number, next: (before: bigint) => bigint): number => {
    const metric = metrics[(id >>> 0) - 1];
    if (metric === undefined) return STATUS.notFound;
    const before = metric.value;
    const after = next(before);
    if (metric.type === METRIC.counter && after < before) return STATUS.badArgument;
    metric.value = after;
    metric.tell(after, after - before);
    return STATUS.ok;
  };
  return {
    proxy_define_metric(type: number, name: number, nameLength: number, idAt: number) {
      if (type < METRIC.counter || type > METRIC.histogram) return STATUS.badArgument;
      const text = vm.memory.utf8(name, nameLength);
      const key = `${type} ${text}`;
      let id = ids.get(key);
      if (id === undefined) {
        if (metrics.length >= MOST_METRICS) return STATUS.internalFailure;
        id = metrics.push({ type, value: 0n, tell: tellerOf(vm.host, type, text) });
        ids.set(key, id);
      }
      vm.memory.setU32(idAt, id);
      return STATUS.ok;
    },
    proxy_record_metric: (id: number, value: bigint) =>
      record(id, (before) =>
        // A histogram has no value; what is recorded is added up.
        metrics[(id >>> 0) - 1]?.type === METRIC.histogram
          ? before + BigInt.asUintN(64, value)
          : BigInt.asUintN(64, value),
      ),
    proxy_increment_metric: (id: number, by: bigint) =>
      metrics[(id >>> 0) - 1]?.type === METRIC.histogram
        ? STATUS.badArgument
        : record(id, (before) => before + by),
    proxy_get_metric(id: number, valueAt: number) {
      const metric = metrics[(id >>> 0) - 1];
      if (metric === undefined) return STATUS.notFound;
      if (metric.type === METRIC.histogram) return STATUS.badArgument;
      vm.memory.setU64(valueAt, metric.value);
      return STATUS.ok;
    },
  };
}

function tellerOf(host: FilterHost, type: number, text: string): Metric['tell'] {
  const name = `wasm_${text
    .replace(/[^a-zA-Z0-9_]+/g, '_')
    .toLowerCase()
    .slice(0, 150)}`;
  const help = `Of a WebAssembly module, which calls it ${JSON.stringify(text.slice(0, 150))}`;
  if (type === METRIC.gauge) {
    const gauge = host.gauge(name, help);
    return (value) => gauge.set(Number(value));
  }
  if (type === METRIC.counter) {
    const counter = host.counter(`${name}_total`, help);
    return (_value, by) => counter.add(Number(by));
  }
  const count = host.counter(`${name}_count`, help);
  const sum = host.counter(`${name}_sum`, help);
  return (_value, by) => {
    count.add();
    sum.add(Number(by));
  };
}
