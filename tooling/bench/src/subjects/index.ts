import { direct } from './direct.ts';
import { envoy } from './envoy.ts';
import { haproxy } from './haproxy.ts';
import { nginx } from './nginx.ts';
import { nodeProxy } from './node-proxies.ts';
import type { Subject } from './subject.ts';
import { tulle } from './tulle.ts';

export { baseline } from './tulle.ts';
export type { Hop, RunningSubject, Side, Subject } from './subject.ts';

/** Everything that can be measured, in the order of the tables. */
export const subjects: readonly Subject[] = [
  tulle('bare'),
  tulle('observed'),
  tulle('mesh'),
  haproxy('bare'),
  haproxy('mesh'),
  nginx('bare'),
  nginx('mesh'),
  envoy('bare'),
  envoy('mesh'),
  nodeProxy('node-http'),
  nodeProxy('http-proxy'),
  nodeProxy('fastify-proxy'),
  direct(),
];
