import { never, said, type Reason } from './gateway-api-reason.ts';

const NO_CA = 'names the reference to a CA certificate that leads to none: %s';
const OF_TWO =
  'of two for one target and port name the older one holds, then the first by name; the other is Conflicted';
const BACKENDS = 'say what is wrong with their backends: no grant, not there, a port of HTTP';

/** Reasons of routes and of policies. */
export const ROUTE_REASONS: readonly Reason[] = [
  said('Route', 'Accepted', 'Accepted', 'gateway', 'backends that are not there'),
  said('Route', 'Accepted', 'NotAllowedByListeners', 'gateway', 'another namespace than the listeners allow'),
  said('Route', 'Accepted', 'NoMatchingListenerHostname', 'gateway', 'is said by each parent: %s'),
  said('Route', 'Accepted', 'NoMatchingParent', 'gateway', 'is said by each parent: %s'),
  said(
    'Route',
    'Accepted',
    'UnsupportedValue',
    'unsupported-values',
    'is accepted by no parent, attaches nowhere, and says so: %s',
  ),
  said('Route', 'Accepted', 'UnsupportedValue', 'foreign-kinds', 'a Service is no parent of a %s'),
  said(
    'Route',
    'Accepted',
    'IncompatibleFilters',
    'unsupported-values',
    'are dropped, which status says, and a route of no other is not accepted: filters %s',
  ),
  never(
    'Route',
    'Accepted',
    'Pending',
    'Status is made when it is asked for, of what is there then: nothing waits to be judged.',
  ),
  said(
    'Route',
    'ResolvedRefs',
    'ResolvedRefs',
    'foreign-kinds',
    'a parent is left to its controller: nothing is said there',
  ),
  said('Route', 'ResolvedRefs', 'RefNotPermitted', 'gateway', 'another namespace than the listeners allow'),
  said(
    'Route',
    'ResolvedRefs',
    'InvalidKind',
    'foreign-kinds',
    'is said of the route, and is no Service of that name: %s',
  ),
  said('Route', 'ResolvedRefs', 'BackendNotFound', 'gateway', 'backends that are not there'),
  said('Route', 'ResolvedRefs', 'UnsupportedProtocol', 'gateway-connections', BACKENDS),
  said(
    'Route',
    'PartiallyInvalid',
    'IncompatibleFilters',
    'unsupported-values',
    'are dropped, which status says, and a route of no other is not accepted: filters %s',
  ),
  never(
    'Route',
    'PartiallyInvalid',
    'UnsupportedValue',
    'A value that is not known is a matter of the whole route, which then is not accepted.',
  ),

  said(
    'Policy',
    'Accepted',
    'Accepted',
    'backend-tls-status',
    'is said at its Service, and at each Gateway that leads there',
  ),
  said('Policy', 'Accepted', 'Conflicted', 'backend-tls-status', OF_TWO),
  said(
    'Policy',
    'Accepted',
    'Conflicted',
    'backend-traffic-status',
    'gives way to the older one, part by part, and budgets to a TrafficPolicy, which it says',
  ),
  said(
    'Policy',
    'Accepted',
    'Invalid',
    'backend-tls-status',
    'says that a target is not there, or needs none',
    'believes nobody by CAs of a name that is not known, and says so',
  ),
  said(
    'Policy',
    'Accepted',
    'TargetNotFound',
    'backend-tls-status',
    'does nothing for a target that is no Service, and says so',
  ),
  said(
    'Policy',
    'Accepted',
    'TargetNotFound',
    'backend-traffic-status',
    'names targets that are not there, and those that are no Services, for which it does nothing',
  ),
  said('Policy', 'Accepted', 'NoValidCACertificate', 'backend-tls-status', NO_CA),
  said('Policy', 'ResolvedRefs', 'ResolvedRefs', 'backend-tls-status', OF_TWO),
  said('Policy', 'ResolvedRefs', 'InvalidCACertificateRef', 'backend-tls-status', NO_CA),
  said('Policy', 'ResolvedRefs', 'InvalidKind', 'backend-tls-status', NO_CA),
];
