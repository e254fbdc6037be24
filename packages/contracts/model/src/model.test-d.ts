// Type tests: compiled by the root tsc, never run.
import type { Cluster, ForwardAction, ProxyConfig, Route, StringMatch } from './index.ts';

declare const config: ProxyConfig;
// @ts-expect-error configuration is readonly all the way down
config.listeners = [];
// @ts-expect-error
config.clusters[0]!.name = 'other';

// @ts-expect-error a static cluster brings its endpoints
const cluster: Cluster = { name: 'a', discovery: { kind: 'static' } };
// @ts-expect-error an unknown balancing policy is refused
const policy: Cluster = { name: 'a', discovery: { kind: 'eds' }, balance: { policy: 'fastest' } };
// @ts-expect-error present has no value
const present: StringMatch = { kind: 'present', value: 'x' };
// @ts-expect-error actions are told apart by kind
const action: ForwardAction = { kind: 'redirect', status: 302 };
const route: Route = {
  name: 'r',
  match: { path: { kind: 'prefix', value: '/' } },
  action: { kind: 'direct', status: 204 },
};
void cluster;
void policy;
void present;
void action;
void route;
