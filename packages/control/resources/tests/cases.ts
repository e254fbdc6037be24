import { AUTHORIZATION } from './cases/authorization.ts';
import { CONNECTION_ROUTES } from './cases/connection-routes.ts';
import { DOCUMENTS } from './cases/documents.ts';
import { FILTER_POLICIES } from './cases/filter-policies.ts';
import { GATEWAYS } from './cases/gateways.ts';
import { GRPC_ROUTES } from './cases/grpc-routes.ts';
import { HTTP_ROUTES } from './cases/http-routes.ts';
import { LISTENER_SETS } from './cases/listener-sets.ts';
import { SERVICES } from './cases/services.ts';
import { TRAFFIC_POLICIES } from './cases/traffic-policies.ts';
import { WAYPOINTS } from './cases/waypoints.ts';
import type { Case } from './cases/case.ts';

/** Texts with faults, or without, and what must be said of them; a file for each thing that they are about. */
export const CASES: readonly Case[] = [
  ...DOCUMENTS,
  ...SERVICES,
  ...HTTP_ROUTES,
  ...GRPC_ROUTES,
  ...GATEWAYS,
  ...LISTENER_SETS,
  ...CONNECTION_ROUTES,
  ...TRAFFIC_POLICIES,
  ...FILTER_POLICIES,
  ...AUTHORIZATION,
  ...WAYPOINTS,
];
