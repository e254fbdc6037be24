/**
 * How bad a diagnostic is.
 * - `error`: will not do what was written. `warning`: probably not what was meant. `info`: worth knowing.
 */
export type Severity = 'error' | 'warning' | 'info';

/**
 * What a diagnostic says of its resource (decision D23).
 * - `invalid`: cannot be parsed or breaks the schema; it is applied by nobody (exit 65).
 * - `finding`: valid, but worth a look (exit 79 from `warning` on).
 */
export type DiagnosticClass = 'invalid' | 'finding';

/** One row of the table of codes. */
export interface CodeRow {
  readonly class: DiagnosticClass;
  readonly severity: Severity;
  /** What it is about, a few words. */
  readonly title: string;
  /** Why it matters and what to do. */
  readonly help: string;
}

const invalid = (title: string, help: string): CodeRow =>
  Object.freeze({ class: 'invalid', severity: 'error', title, help });
const finding = (severity: Severity, title: string, help: string): CodeRow =>
  Object.freeze({ class: 'finding', severity, title, help });

/** A code of {@link CODES}. */
export type DiagnosticCode =
  | 'TULLE0101'
  | 'TULLE0102'
  | 'TULLE0103'
  | 'TULLE0104'
  | 'TULLE0105'
  | 'TULLE0106'
  | 'TULLE0201'
  | 'TULLE0202'
  | 'TULLE0203'
  | 'TULLE0204'
  | 'TULLE0205'
  | 'TULLE0206'
  | 'TULLE0207'
  | 'TULLE0208'
  | 'TULLE0209'
  | 'TULLE0210'
  | 'TULLE0211'
  | 'TULLE0212'
  | 'TULLE0301'
  | 'TULLE0302'
  | 'TULLE0303'
  | 'TULLE0304'
  | 'TULLE0305'
  | 'TULLE0306'
  | 'TULLE0307'
  | 'TULLE0308'
  | 'TULLE0309'
  | 'TULLE0310'
  | 'TULLE0311'
  | 'TULLE0312'
  | 'TULLE0313'
  | 'TULLE0314'
  | 'TULLE0315'
  | 'TULLE0316'
  | 'TULLE0317'
  | 'TULLE0318'
  | 'TULLE0319'
  | 'TULLE0320'
  | 'TULLE0321'
  | 'TULLE0322'
  | 'TULLE0401'
  | 'TULLE0402'
  | 'TULLE0403'
  | 'TULLE0404'
  | 'TULLE0405'
  | 'TULLE0406'
  | 'TULLE0407'
  | 'TULLE0408'
  | 'TULLE0409'
  | 'TULLE0410'
  | 'TULLE0411'
  | 'TULLE0412'
  | 'TULLE0413'
  | 'TULLE0414'
  | 'TULLE0415'
  | 'TULLE0416'
  | 'TULLE0417'
  | 'TULLE0418'
  | 'TULLE0419'
  | 'TULLE0420'
  | 'TULLE0501'
  | 'TULLE0502'
  | 'TULLE0503'
  | 'TULLE0504'
  | 'TULLE0505'
  | 'TULLE0506'
  | 'TULLE0507'
  | 'TULLE0508'
  | 'TULLE0509'
  | 'TULLE0510'
  | 'TULLE0511'
  | 'TULLE0512';

/**
 * Every code that reading and analysing resources can give. Stable: a code is never reused for something else.
 * 01xx reading, 02xx schema, 03xx references, 04xx routing, 05xx policies. `CODES.md` is this table as a page.
 */
export const CODES: Readonly<Record<DiagnosticCode, CodeRow>> = Object.freeze({
  TULLE0101: invalid(
    'Syntax',
    'The document is not YAML or JSON. The position is where the reader gave up; the fault is there or just before. Other documents of the file are read all the same.',
  ),
  TULLE0102: invalid(
    'Not a resource',
    'A document must be a mapping with `apiVersion`, `kind` and `metadata`.',
  ),
  TULLE0103: invalid(
    'Unknown kind',
    'Tulle does not know this `kind`. `tulle get --help` lists the kinds; manifests for other programs belong into another directory.',
  ),
  TULLE0104: invalid('Wrong apiVersion', 'The kind exists, but under another `apiVersion`.'),
  TULLE0105: invalid('Too large', 'A file, a document or a nesting is past its limit. Split it.'),
  TULLE0106: invalid(
    'Unreadable file',
    'The file or directory cannot be read. Check path and permissions; what it held before stays in force.',
  ),
  TULLE0201: invalid(
    'Unknown field',
    'The kind has no such field. Nothing is ignored silently, so a misspelt field is refused.',
  ),
  TULLE0202: invalid(
    'Wrong type',
    'The value has another type than the field wants. In YAML, quote text that looks like a number or a truth value.',
  ),
  TULLE0203: invalid('Missing field', 'A required field is absent.'),
  TULLE0204: invalid(
    'Out of range',
    'The number is outside the range that the field allows, e.g. a weight outside 0..1,000,000.',
  ),
  TULLE0205: invalid(
    'Value not allowed',
    'The value is not one of those allowed, or not of the form the field wants.',
  ),
  TULLE0206: invalid(
    'Field not honoured',
    'The field is real, but Tulle does not do what it asks, and never pretends to. Remove it or use what the message names instead.',
  ),
  TULLE0207: invalid(
    'Too many, too few or repeated',
    'A list or text is longer or shorter than allowed, or an entry is there twice.',
  ),
  TULLE0208: invalid('Contradiction', 'Two fields of the resource cannot hold together.'),
  TULLE0209: invalid(
    'Duplicate resource',
    'Two documents name the same kind, namespace and name. Which one should hold is not defined, so neither file order nor luck decides.',
  ),
  TULLE0210: invalid(
    'Pattern',
    'The regular expression is not RE2 syntax (linear time: no look-around, no back-references).',
  ),
  TULLE0211: invalid(
    'Filter configuration',
    'The configuration breaks the schema of the filter that the policy names.',
  ),
  TULLE0212: invalid(
    'Owned by another source',
    'The resource exists already and belongs to another source (decision D16). Change it there, or remove it there first.',
  ),
  TULLE0301: finding(
    'error',
    'Parent not found',
    'The route attaches to a Gateway, ListenerSet or Service that does not exist, or the ListenerSet to such a Gateway, so it does nothing there.',
  ),
  TULLE0302: finding(
    'error',
    'Backend not found',
    'A backendRef names a Service that does not exist. Its share of the requests is answered with 500 (Gateway API).',
  ),
  TULLE0303: finding('error', 'Port not found', 'The Service exists but has no such port.'),
  TULLE0304: finding(
    'error',
    'Policy target not found',
    'The policy names something that does not exist, so it protects or changes nothing.',
  ),
  TULLE0305: finding(
    'error',
    'Cross-namespace reference not granted',
    'What is used of another namespace needs a ReferenceGrant there. Until then the share of a backend is answered with 500, and the listener of a certificate is not served.',
  ),
  TULLE0306: finding(
    'warning',
    'Service of an EndpointSlice not found',
    'The label kubernetes.io/service-name names a Service that does not exist, so the endpoints are used by nobody.',
  ),
  TULLE0307: finding(
    'warning',
    'Target port not found',
    'No Workload of the Service has the port that targetPort names, so the Service port has no endpoint.',
  ),
  TULLE0308: finding(
    'warning',
    'Gateway of another class',
    'Tulle serves Gateways of the classes `tulle` and `tulle-waypoint` and leaves others to their controllers; a GatewayClass of another name cannot make them its own.',
  ),
  TULLE0309: finding(
    'error',
    'Route not allowed',
    'The listeners of the Gateway or ListenerSet do not take routes of this namespace or kind (allowedRoutes), so the route does nothing there.',
  ),
  TULLE0310: finding(
    'error',
    'No common hostname',
    "None of the route's hostnames is one of a listener's, so the route does nothing there.",
  ),
  TULLE0311: finding(
    'error',
    'Listener not found',
    'The Gateway or ListenerSet exists but has no listener of that name or port.',
  ),
  TULLE0312: finding(
    'warning',
    'Route kind not served',
    'allowedRoutes names a kind of route that is not served at listeners of this protocol: HTTPRoute and GRPCRoute are at HTTP and HTTPS, TLSRoute at TLS, TCPRoute at TCP, UDPRoute at UDP.',
  ),
  TULLE0313: finding(
    'error',
    'CA certificates not found',
    'A BackendTLSPolicy, or a Gateway for its callers, names a ConfigMap that is not there or has no `ca.crt`, something that is no ConfigMap, or CAs by a well-known name other than `System`. Where none is left nobody is believed: calls fail and are never sent in clear; a listener that has no other is not served.',
  ),
  TULLE0314: finding(
    'error',
    'Route of another kind applies',
    'Routes of different kinds do not share a port of a Service (GRPCRoute comes before HTTPRoute), nor a host of a listener (the older one is there). The route does nothing there.',
  ),
  TULLE0315: finding(
    'error',
    'Listener protocol not served',
    'The Gateway or ListenerSet has a listener of a protocol that Tulle does not listen for. Nothing is served there; its condition `Accepted` is `False` with `UnsupportedProtocol`.',
  ),
  TULLE0316: finding(
    'error',
    'ListenerSet not taken',
    'The Gateway takes no ListenerSets of this namespace: by default it takes none. Its `allowedListeners` says which it does.',
  ),
  TULLE0317: finding(
    'error',
    'Waypoint not found',
    'The Service asks for a waypoint (labels `tulle.dev/use-waypoint` and `tulle.dev/use-waypoint-namespace`) that is not there: a Gateway of class `tulle-waypoint` that takes Services of its namespace. Nobody can call the Service until it is.',
  ),
  TULLE0318: finding(
    'error',
    'For a waypoint instead of its Services',
    'The route or policy names a waypoint. A waypoint has the routes and policies of the Services that ask for it, so this one does nothing.',
  ),
  TULLE0319: finding(
    'warning',
    'Of another implementation',
    'A parentRef, a target or an entry of a ReferenceGrant names a kind that Tulle does not have. It is left to its controller, and Tulle does nothing there.',
  ),
  TULLE0320: finding(
    'error',
    'Kind not served',
    'A reference names a kind that Tulle does not serve there: a backend that is no Service, an ExtensionRef, a certificate that is no Secret, parameters of a GatewayClass, CAs that are no ConfigMap, a Service as parent of a TLSRoute, TCPRoute or UDPRoute. Nothing passes for it: requests are answered with 500, connections and datagrams are refused, and status says so (`ResolvedRefs` or `Accepted` is `False`). Or a BackendTLSPolicy or XBackendTrafficPolicy is for what is no Service: it does nothing there (`TargetNotFound`).',
  ),
  TULLE0321: finding(
    'warning',
    'Option of another implementation',
    'A BackendTLSPolicy has `options`, which Tulle does not know. The policy holds without them, which its condition `tulle.dev/OptionsHonoured` says: see whether what they ask for matters.',
  ),
  TULLE0322: finding(
    'warning',
    'Namespace of what has none',
    'A GatewayClass is for Gateways of all namespaces and is in none itself. The namespace that it says is dropped, as in Kubernetes.',
  ),
  TULLE0401: finding(
    'warning',
    'Shadowed rule',
    'Another rule matches everything this one matches and comes first by Gateway API precedence, so this one is never used.',
  ),
  TULLE0402: finding(
    'info',
    'Tie decided by name',
    'Two rules match the same requests. Without creation times (files) Gateway API precedence goes to the smaller namespace/name (decision D16).',
  ),
  TULLE0403: finding(
    'warning',
    'No weight',
    'All weights of the rule are 0: every request it matches is answered with 500.',
  ),
  TULLE0404: finding(
    'warning',
    'Backend listed twice',
    'A rule lists one backend more than once; its shares add up. Usually one of them was meant for another Service.',
  ),
  TULLE0405: finding(
    'error',
    'Route on a TCP port',
    'The route attaches to a Service port whose protocol is TCP, where requests cannot be seen.',
  ),
  TULLE0406: finding(
    'warning',
    'No backend',
    'The rule has neither backendRefs nor a redirect: every request it matches is answered with 500.',
  ),
  TULLE0407: finding(
    'error',
    'Listeners conflict',
    'Listeners share a port although nothing tells their connections apart: their protocols differ, other than HTTPS and TLS, or their hostnames do not. Of one Gateway or ListenerSet nobody may pick a winner, so none of them is served; of several those of the Gateway come first, then of the oldest ListenerSet, then by `namespace/name`.',
  ),
  TULLE0408: finding(
    'warning',
    'gRPC on a port of HTTP/1.1',
    'A GRPCRoute leads to a port that does not say that it speaks HTTP/2, without which there is no gRPC. Set `appProtocol: kubernetes.io/h2c` on it, or give it a name that begins with `grpc-`.',
  ),
  TULLE0409: finding(
    'error',
    'Bytes to a port of HTTP',
    'A TLSRoute or TCPRoute leads to a Service port that carries HTTP, or does not say what it carries. Its share of the connections is refused. Set `appProtocol: tcp` on it, or give it a name that begins with `tcp-`.',
  ),
  TULLE0410: finding(
    'error',
    'Connections of another route',
    'An older TLSRoute has all server names of this one at its Gateway, or an older TCPRoute or UDPRoute the port. The route does nothing there.',
  ),
  TULLE0411: finding(
    'info',
    'Rules overlap',
    'A request may fit both rules, and neither is more specific: nothing but age, name or place decides for the one. Make the conditions exclude each other, or add one to the rule that is meant. Of TLSRoutes, TCPRoutes and UDPRoutes: an older one has some of the server names, or of the listeners, that this one asks for.',
  ),
  TULLE0412: finding(
    'info',
    'Share without endpoints',
    'A backend has a weight, but no known Workload is behind its Service: its share of the requests is answered with 503, or dropped where it is of datagrams. Give it weight 0 until there is one.',
  ),
  TULLE0413: finding(
    'warning',
    "Closed by another Service's waypoint",
    'The Service leads to a port of workloads to which another Service leads through a waypoint. They take calls there from that waypoint alone, so calls of this Service are refused. Services that routes of that other one lead to are called by the waypoint, and not meant.',
  ),
  TULLE0414: finding(
    'info',
    'Datagrams in clear',
    'What a UDPRoute leads on is not encrypted by the mesh, neither are its callers known by identity, nor do policies about callers or requests judge it. Let programs that need secrecy bring their own (DTLS, QUIC, WireGuard).',
  ),
  TULLE0415: finding(
    'warning',
    'Datagrams for those who ask for mutual TLS',
    'A Workload that takes calls by mutual TLS alone (STRICT, which is the default) gets no datagrams from a Gateway, since these are never encrypted. A PeerAuthentication that says PERMISSIVE for the port lets them in; where the Workload takes connections at a port of the same number, these may then come in plain text too.',
  ),
  TULLE0416: finding(
    'error',
    'Filter before datagrams',
    'A FilterPolicy decides who may connect to a listener of UDP, or to its whole Gateway. Datagrams pass no filter, so that everybody would be let in: the listener is not served. Let the policy name the other listeners by sectionName, or keep others out by the network.',
  ),
  TULLE0417: finding(
    'error',
    'Port of another protocol',
    'A UDPRoute leads to ports of UDP, every other route to ports of TCP, and the Service has a port of this number for the other protocol alone. Its share of the connections or requests is refused, that of datagrams dropped.',
  ),
  TULLE0418: finding(
    'warning',
    'Attached to nothing',
    'The route names no parent, and there is no default Gateway that it asks for (`useDefaultGateways`, `defaultScope`). It is kept, and does nothing.',
  ),
  TULLE0419: finding(
    'error',
    'Filters that do not go together',
    'A rule, or one backend of it, both redirects and mirrors. The rule is dropped, as `PartiallyInvalid` says; where no other is left the route is not accepted (`IncompatibleFilters`).',
  ),
  TULLE0420: finding(
    'error',
    'Filter that gRPC lacks',
    'A GRPCRoute has a filter of HTTPRoutes, of a rule or of one backend. It is accepted nowhere (`UnsupportedValue`): a Gateway leads nothing by it, and a Service whose only route it is answers UNIMPLEMENTED, so that nothing goes by unasked.',
  ),
  TULLE0501: finding('warning', 'Selector matches nothing', 'No known Workload has these labels.'),
  TULLE0502: finding(
    'warning',
    'Policy without rules',
    'An ALLOW policy without rules denies everything; a DENY policy without rules denies nothing.',
  ),
  TULLE0503: finding(
    'error',
    'Layer-7 policy on a TCP port',
    'The policy asks about requests, but the port carries plain bytes. The port is closed rather than left open.',
  ),
  TULLE0504: finding(
    'warning',
    'Filter not known here',
    "The filter is not among those known to this check, so its configuration was not validated. Proxies that lack it are listed in the policy's status.",
  ),
  TULLE0505: finding(
    'warning',
    'Policies overlap',
    'Two policies set the same part for the same target. The older one wins, then the smaller namespace/name; a TrafficPolicy goes before an XBackendTrafficPolicy. Of two BackendTLSPolicies for one target and port name the later one does nothing there, and its condition `Accepted` says `Conflicted`.',
  ),
  TULLE0506: finding(
    'warning',
    'Rule cannot match',
    'The conditions of the rule exclude each other, so it never matches.',
  ),
  TULLE0507: finding(
    'error',
    'Foreign trust domain',
    'The policy names an identity of a trust domain that this mesh does not trust; it can never match.',
  ),
  TULLE0508: finding(
    'warning',
    'Claims without authentication',
    'The rule asks about claims of a token (when), but no FilterPolicy puts tulle.http.jwt before the workload, so no token is ever read: the condition never holds.',
  ),
  TULLE0509: finding(
    'warning',
    'TLS policy without effect',
    'A BackendTLSPolicy is for Services of type ExternalName. Others are in the mesh, where mutual TLS needs no policy.',
  ),
  TULLE0510: finding(
    'warning',
    'Two policies ask for mutual TLS',
    'Two PeerAuthentications are for the same workloads and say something of the same ports. The older one holds, then the one with the smaller name.',
  ),
  TULLE0511: finding(
    'warning',
    'Port not found',
    'The PeerAuthentication names a port that no known Workload has, so it changes nothing there.',
  ),
  TULLE0512: finding(
    'warning',
    'Denied callers may come in plain text',
    'An AuthorizationPolicy denies callers by identity, service account or namespace where a PeerAuthentication lets plain text in. Who calls in plain text proves none of these, so that the denied caller only has to leave mutual TLS out. Ask for mutual TLS there, or allow by identity who may call: that lets nobody in who proves nothing.',
  ),
});

/** Where the codes are explained; `#tulle0201` and so on. */
export const CODES_PAGE = 'https://github.com/tulle-mesh/tulle/blob/main/packages/control/resources/CODES.md';

/** Address of a code's paragraph. */
export function codeDocs(code: DiagnosticCode): string {
  return `${CODES_PAGE}#${code.toLowerCase()}`;
}
