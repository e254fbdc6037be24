import { isIP } from 'node:net';
import {
  CALLERS_OPTION,
  type AllowedNamespaces,
  type Gateway,
  type GatewayListener,
} from '../kinds/gateway.ts';
import { isWaypoint } from '../gateway/waypoint.ts';
import { noRepeats, type CheckHost } from './check-host.ts';
import { checkWaypoint } from './waypoint.ts';

export function checkGateway(gateway: Gateway, host: CheckHost): void {
  const { listeners, addresses = [], tls, allowedListeners } = gateway.spec;
  for (const [i, { type = 'IPAddress', value }] of addresses.entries())
    if (type === 'IPAddress' && value !== undefined && isIP(value) === 0)
      host.report('TULLE0205', `/spec/addresses/${i}/value`, `${JSON.stringify(value)} is no IP address`);
  noRepeats(
    host,
    addresses,
    ({ type = 'IPAddress', value }) => (value === undefined ? undefined : `${type} ${value}`),
    (i) => `/spec/addresses/${i}`,
    () => 'the address is listed twice',
  );
  noRepeats(
    host,
    tls?.frontend?.perPort ?? [],
    ({ port }) => String(port),
    (i) => `/spec/tls/frontend/perPort/${i}/port`,
    (port) => `port ${port} is listed twice`,
  );
  checkNamespaces(allowedListeners?.namespaces, '/spec/allowedListeners/namespaces', 'None', host);
  checkListeners(listeners, host);
  if (isWaypoint(gateway)) checkWaypoint(gateway, host);
}

/** `listeners` of a Gateway, or of a ListenerSet. */
export function checkListeners(listeners: readonly GatewayListener[], host: CheckHost): void {
  noRepeats(
    host,
    listeners,
    (l) => l.name,
    (i) => `/spec/listeners/${i}/name`,
    (n) => `the listener name ${JSON.stringify(n)} is used twice`,
  );
  noRepeats(
    host,
    listeners,
    (l) => `${l.protocol} ${l.port} ${l.hostname ?? ''}`,
    (i) => `/spec/listeners/${i}`,
    () => 'another listener has the same port, protocol and hostname',
  );
  for (const [i, listener] of listeners.entries()) checkListener(listener, `/spec/listeners/${i}`, host);
}

function checkListener(listener: GatewayListener, at: string, host: CheckHost): void {
  const { protocol, tls, hostname, allowedRoutes } = listener;
  const secure = protocol === 'HTTPS' || protocol === 'TLS';
  if (!secure && tls !== undefined)
    host.report(
      'TULLE0208',
      `${at}/tls`,
      `a listener of protocol ${protocol} has no tls`,
      protocol === 'HTTP'
        ? 'set protocol: HTTPS, or remove tls'
        : protocol === 'HBONE'
          ? 'remove tls: callers and waypoint show their identities of the mesh'
          : 'set protocol: TLS, or remove tls',
    );
  if ((protocol === 'TCP' || protocol === 'UDP' || protocol === 'HBONE') && hostname !== undefined)
    host.report(
      'TULLE0208',
      `${at}/hostname`,
      protocol === 'HBONE'
        ? 'a listener of protocol HBONE has no hostname: each tunnel says the Service that it is for'
        : `a listener of protocol ${protocol} has no hostname: nothing there says one`,
    );
  if (secure) checkTls(listener, at, host);
  checkNamespaces(allowedRoutes?.namespaces, `${at}/allowedRoutes/namespaces`, 'Same', host);
}

function checkNamespaces(
  { from, selector }: AllowedNamespaces = {},
  at: string,
  otherwise: string,
  host: CheckHost,
): void {
  if (from === 'Selector' && selector === undefined)
    host.report('TULLE0203', at, 'from: Selector needs the field "selector"');
  if (from !== 'Selector' && selector !== undefined)
    host.report(
      'TULLE0208',
      `${at}/selector`,
      `a selector is used with from: Selector only, not with ${from ?? otherwise}`,
    );
  for (const [i, { operator, values = [] }] of (selector?.matchExpressions ?? []).entries()) {
    const asks = operator === 'In' || operator === 'NotIn';
    if (asks !== values.length > 0)
      host.report(
        asks ? 'TULLE0203' : 'TULLE0208',
        `${at}/selector/matchExpressions/${i}${asks ? '' : '/values'}`,
        asks ? `${operator} needs the field "values"` : `${operator} has no values`,
      );
  }
}

function checkTls({ protocol, tls }: GatewayListener, at: string, host: CheckHost): void {
  if (protocol === 'HTTPS' && tls?.mode === 'Passthrough')
    host.report(
      'TULLE0208',
      `${at}/tls/mode`,
      'HTTPS ends here: what goes through as it comes is of protocol TLS',
      'set protocol: TLS and route it with a TLSRoute',
    );
  if (protocol === 'TLS' && tls?.mode === undefined)
    host.report(
      'TULLE0203',
      tls === undefined ? at : `${at}/tls`,
      'a listener of protocol TLS needs tls with the field "mode"',
      'mode: Passthrough, or mode: Terminate with certificateRefs',
    );
  if (tls?.mode === 'Passthrough') {
    for (const field of ['certificateRefs', 'options'] as const)
      if (protocol === 'TLS' && tls[field] !== undefined)
        host.report('TULLE0208', `${at}/tls/${field}`, `${field} mean nothing where TLS passes through`);
    return;
  }
  const ofMesh = tls?.options?.[CALLERS_OPTION] === 'mesh';
  if (ofMesh && protocol === 'TLS')
    host.report(
      'TULLE0208',
      `${at}/tls/options`,
      'callers of the mesh are taken by listeners of protocol HTTPS only',
    );
  if (ofMesh && (tls.certificateRefs?.length ?? 0) > 0)
    host.report(
      'TULLE0208',
      `${at}/tls/certificateRefs`,
      'callers of the mesh are shown the identity of the gateway, not a certificate of your own',
    );
  if (
    (protocol === 'HTTPS' || tls?.mode === 'Terminate') &&
    !ofMesh &&
    (tls?.certificateRefs?.length ?? 0) === 0
  )
    host.report(
      'TULLE0203',
      tls === undefined ? at : `${at}/tls`,
      `a listener of protocol ${protocol} at which TLS ends needs tls with one of certificateRefs`,
      'tls: { certificateRefs: [{ name: … }] }',
    );
  if ((tls?.certificateRefs?.length ?? 0) > 1)
    host.report(
      'TULLE0207',
      `${at}/tls/certificateRefs/1`,
      'a listener shows one certificate',
      'give each hostname a listener of its own on the same port',
    );
}
