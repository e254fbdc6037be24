import { never, said, type Reason } from './gateway-api-reason.ts';
import { ROUTE_REASONS } from './gateway-api-route-reasons.ts';

const AT_ONCE = 'Status is made when it is asked for, of what is there then: nothing waits to be judged.';
const RESERVED = 'Reserved: implementations are not to say it.';
const DEPRECATED = 'Deprecated, in favour of `Accepted`.';
const READ = 'What is not valid by itself is refused when it is read, by `tulle apply` and over REST.';

const PENDING = 'is pending until a process has confirmed it, and again when that is gone';
const TWO_PROTOCOLS = 'listeners of two protocols on one port are all refused';
const CLASS_OF_ANOTHER_NAME =
  'of another name has Gateways that nobody serves, which they say, as do their ListenerSets and routes';
const PARAMETERS = 'with parameters is not accepted, nor are its Gateways until these are gone';
const CAS =
  'CAs for callers that are not there, or not granted, are said to be so, and nobody is let in by none';
const BACKEND_CERTIFICATE = 'a certificate for backends that is not there, or not granted, is said to be so';
const OWN_AND_LISTENERS =
  'says which of its listeners refer to what is not there, after its own certificate for backends';
const NOTHING_TELLS =
  'listeners that nothing tells apart, and a protocol that Gateways do not have, are refused with their reasons';
const FOREIGN = 'a certificate is not one of that name, and CAs are believed of ConfigMaps alone';
const KINDS = 'and that are not served are said so; where one is, the listener is served for that';
const PRECEDENCE =
  'gives way to the Gateway, then to the older set, then to the first by name; when that goes it is served';

/** Reasons of conditions, all that release 1.6 of the Gateway API has constants for. */
export const REASONS: readonly Reason[] = [
  said(
    'GatewayClass',
    'Accepted',
    'Accepted',
    'gateway-class',
    'of Tulle is accepted, with the features that its Gateways have',
  ),
  said('GatewayClass', 'Accepted', 'InvalidParameters', 'gateway-class', PARAMETERS),
  said(
    'GatewayClass',
    'Accepted',
    'Unsupported',
    'gateway-class',
    'of another controller is left alone, and one of another name is not supported',
  ),
  never('GatewayClass', 'Accepted', 'Invalid', READ),
  never('GatewayClass', 'Accepted', 'Pending', AT_ONCE),
  never('GatewayClass', 'Accepted', 'Waiting', DEPRECATED),
  said(
    'GatewayClass',
    'SupportedVersion',
    'SupportedVersion',
    'gateway-class',
    'of Tulle is accepted, with the features that its Gateways have',
  ),
  never(
    'GatewayClass',
    'Accepted, SupportedVersion',
    'UnsupportedVersion',
    'The kinds come with Tulle, there are no CustomResourceDefinitions of another version.',
  ),

  said('Gateway', 'Accepted', 'Accepted', 'gateway', PENDING),
  said('Gateway', 'Accepted', 'ListenersNotValid', 'gateway', TWO_PROTOCOLS),
  said('Gateway', 'Accepted', 'Invalid', 'gateway-class', CLASS_OF_ANOTHER_NAME),
  said(
    'Gateway',
    'Accepted',
    'InvalidParameters',
    'gateway-infrastructure',
    'parameters of any kind are refused in status, and the Gateway is served by nobody until they are gone',
  ),
  said(
    'Gateway',
    'Accepted',
    'UnsupportedAddress',
    'gateway-reasons',
    'with an address of a type that is not supported is served by nobody, which it says',
  ),
  never('Gateway', 'Accepted', 'Pending', AT_ONCE),
  never('Gateway', 'Accepted', 'NotReconciled', 'Deprecated, in favour of `Pending`.'),
  never('Gateway', 'Scheduled', 'Scheduled', DEPRECATED),
  said('Gateway', 'Programmed', 'Programmed', 'gateway', PENDING),
  said('Gateway', 'Programmed', 'Pending', 'gateway', PENDING),
  said('Gateway', 'Programmed', 'Invalid', 'gateway', TWO_PROTOCOLS),
  said(
    'Gateway',
    'Programmed',
    'AddressNotUsable',
    'gateway',
    'an address that cannot be had is said to be so',
  ),
  never(
    'Gateway',
    'Programmed',
    'AddressNotAssigned',
    'Nothing assigns addresses: they are those that the Gateway asks for, or that of its process.',
  ),
  never(
    'Gateway',
    'Programmed',
    'NoResources',
    'Nothing is scheduled: whoever runs `tulle gateway` makes the room, and until then it is `Pending`.',
  ),
  said('Gateway', 'ResolvedRefs', 'ResolvedRefs', 'gateway', PENDING),
  said('Gateway', 'ResolvedRefs', 'RefNotPermitted', 'gateway', BACKEND_CERTIFICATE),
  said('Gateway', 'ResolvedRefs', 'InvalidClientCertificateRef', 'gateway', BACKEND_CERTIFICATE),
  said('Gateway', 'ResolvedRefs', 'ListenersNotResolved', 'gateway-reasons', OWN_AND_LISTENERS),
  said(
    'Gateway',
    'InsecureFrontendValidationMode',
    'ConfigurationChanged',
    'gateway-reasons',
    'are let in %s, which the Gateway says as long as that is so',
  ),
  never('Gateway', 'Ready', 'Ready', RESERVED),
  never('Gateway', 'Ready', 'ListenersNotReady', RESERVED),

  said('Listener', 'Accepted', 'Accepted', 'gateway', PENDING),
  said(
    'Listener',
    'Accepted',
    'PortUnavailable',
    'gateway-reasons',
    'is said of its listener, and the others are served',
    'is said of a listener of a ListenerSet twice',
  ),
  said('Listener', 'Accepted', 'UnsupportedProtocol', 'gateway-connections', NOTHING_TELLS),
  said('Listener', 'Accepted', 'NoValidCACertificate', 'gateway', CAS),
  never(
    'Listener',
    'Accepted',
    'TooManyListeners',
    'A Gateway has the listeners of all ListenerSets that it takes, however many.',
  ),
  never('Listener', 'Accepted', 'Pending', AT_ONCE),
  never('Listener', 'Accepted', 'Invalid', READ),
  never('Listener', 'Detached', 'Attached', DEPRECATED),
  said(
    'Listener',
    'Conflicted',
    'NoConflicts',
    'gateway-reasons',
    'is said of its listener, and the others are served',
  ),
  said('Listener', 'Conflicted', 'HostnameConflict', 'gateway-connections', NOTHING_TELLS),
  said('Listener', 'Conflicted', 'ProtocolConflict', 'gateway', TWO_PROTOCOLS),
  said(
    'Listener',
    'Conflicted',
    'ListenerConflict',
    'listener-sets',
    'conflicts by protocol, and by port where nothing else tells connections apart',
  ),
  said('Listener', 'ResolvedRefs', 'ResolvedRefs', 'gateway', PENDING),
  said('Listener', 'ResolvedRefs', 'InvalidCertificateRef', 'foreign-kinds', FOREIGN),
  said('Listener', 'ResolvedRefs', 'InvalidRouteKinds', 'gateway-reasons', KINDS),
  said(
    'Listener',
    'ResolvedRefs',
    'RefNotPermitted',
    'gateway',
    'a certificate of another namespace needs a grant there',
  ),
  said('Listener', 'ResolvedRefs', 'InvalidCACertificateRef', 'gateway', CAS),
  said('Listener', 'ResolvedRefs', 'InvalidCACertificateKind', 'foreign-kinds', FOREIGN),
  said('Listener', 'Programmed', 'Programmed', 'gateway', PENDING),
  said('Listener', 'Programmed', 'Pending', 'gateway', PENDING),
  said('Listener', 'Programmed', 'Invalid', 'gateway', 'names the process that refuses a listener, and why'),
  said(
    'Listener',
    'Programmed',
    'PortUnavailable',
    'gateway-reasons',
    'is said of a listener of a ListenerSet twice',
  ),
  said(
    'Listener',
    'OverlappingTLSConfig',
    'OverlappingHostnames',
    'gateway-reasons',
    'say so of names, and those that have nothing say nothing',
  ),
  said(
    'Listener',
    'OverlappingTLSConfig',
    'OverlappingCertificates',
    'gateway-reasons',
    'say so of certificates, also where names have in common what certificates have',
  ),
  never('Listener', 'Ready', 'Ready', RESERVED),

  said(
    'ListenerSet',
    'Accepted',
    'Accepted',
    'listener-sets',
    'waits for its Gateway, and for a process that serves it',
  ),
  said('ListenerSet', 'Accepted', 'NotAllowed', 'listener-sets', 'is taken where the Gateway says so: %s'),
  said(
    'ListenerSet',
    'Accepted',
    'ParentNotAccepted',
    'listener-sets',
    'waits for its Gateway, and for a process that serves it',
  ),
  said('ListenerSet', 'Accepted', 'ListenersNotValid', 'listener-sets', PRECEDENCE),
  never('ListenerSet', 'Accepted', 'Invalid', READ),
  never('ListenerSet', 'Accepted, Programmed', 'Pending', AT_ONCE),
  said('ListenerSet', 'Programmed', 'Programmed', 'listener-sets', PRECEDENCE),
  said(
    'ListenerSet',
    'Programmed',
    'Invalid',
    'gateway-reasons',
    'is nothing to a ListenerSet whose listener a process refuses for another reason',
  ),
  said(
    'ListenerSet',
    'Programmed',
    'PortUnavailable',
    'gateway-reasons',
    'is said of a listener of a ListenerSet twice',
  ),
  said('ListenerSet', 'Programmed', 'ListenersNotValid', 'listener-sets', PRECEDENCE),
  said(
    'ListenerSet',
    'Programmed',
    'ParentNotProgrammed',
    'listener-sets',
    'waits for its Gateway, and for a process that serves it',
  ),
  ...ROUTE_REASONS,
];
