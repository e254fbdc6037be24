import type { Area } from '../configuration.ts';
import { cors } from './cors.ts';
import { extAuthz } from './ext-authz.ts';
import { fault } from './fault.ts';
import { headerEdits } from './header-edits.ts';
import { localRateLimit } from './local-rate-limit.ts';
import { matching } from './matching.ts';
import { mirrors } from './mirrors.ts';
import { rbac } from './rbac.ts';
import { redirects } from './redirects.ts';
import { retries } from './retries.ts';
import { rewriting } from './rewriting.ts';
import { timeouts } from './timeouts.ts';
import { weights } from './weights.ts';

/** Every area, in the order in which they run. */
export const AREAS: readonly Area[] = [
  matching,
  rewriting,
  redirects,
  weights,
  headerEdits,
  retries,
  timeouts,
  mirrors,
  rbac,
  localRateLimit,
  fault,
  cors,
  extAuthz,
];
