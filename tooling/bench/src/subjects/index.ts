import { haproxy } from './haproxy.ts';
import { nginx } from './nginx.ts';
import { nodeHttp } from './node-http.ts';
import type { Subject } from './subject.ts';
import { tulle } from './tulle.ts';

export { baseline } from './tulle.ts';
export type { Subject } from './subject.ts';

/** Everything that can be measured, in the order of the tables. */
export const subjects: readonly Subject[] = [
  tulle('bare'),
  tulle('observed'),
  tulle('mesh'),
  haproxy('bare'),
  haproxy('mesh'),
  nginx('bare'),
  nginx('mesh'),
  nodeHttp(),
];
