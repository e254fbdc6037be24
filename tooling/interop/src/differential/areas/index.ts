import type { Area } from '../configuration.ts';
import { cors } from './cors.ts';
import { extAuthz } from './ext-authz.ts';
import { fault } from './fault.ts';
import { frames } from './frames.ts';
import { headerEdits } from './header-edits.ts';
import { jwt } from './jwt.ts';
import { localRateLimit } from './local-rate-limit.ts';
import { conditions } from './conditions.ts';
import { balancing } from './balancing.ts';
import { deadlines } from './deadlines.ts';
import { resets } from './resets.ts';
import { expressions } from './expressions.ts';
import { mutations } from './mutations.ts';
import { malformedHttp1 } from './malformed-http1.ts';
import { malformedHttp2 } from './malformed-http2.ts';
import { matching } from './matching.ts';
import { mirrors } from './mirrors.ts';
import { overHttp2 } from './over-http2.ts';
import { rbac } from './rbac.ts';
import { redirects } from './redirects.ts';
import { retries } from './retries.ts';
import { rewriting } from './rewriting.ts';
import { tcp } from './tcp.ts';
import { timeouts } from './timeouts.ts';
import { tls } from './tls.ts';
import { tlsUpstream } from './tls-upstream.ts';
import { weights } from './weights.ts';
import { withoutRoute } from './without-route.ts';

/** Areas of HTTP, which are asked over HTTP/2 too. */
const HTTP: readonly Area[] = [
  matching,
  rewriting,
  redirects,
  weights,
  headerEdits,
  retries,
  timeouts,
  mirrors,
  rbac,
  jwt,
  localRateLimit,
  fault,
  cors,
  extAuthz,
];

/** Every area, in the order in which they run. */
export const AREAS: readonly Area[] = [
  ...HTTP,
  tls,
  tlsUpstream,
  tcp,
  malformedHttp1,
  malformedHttp2,
  frames,
  ...HTTP.map(overHttp2),
  conditions,
  expressions,
  mutations,
  resets,
  deadlines,
  balancing,
  withoutRoute,
];
