import { CALLERS_OPTION, type Gateway, type GatewayListener } from '../kinds/gateway.ts';
import { noRepeats, type CheckHost } from './check-host.ts';

export function checkGateway(gateway: Gateway, host: CheckHost): void {
  const { listeners } = gateway.spec;
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
  const { protocol, tls, allowedRoutes } = listener;
  if (protocol === 'HTTP' && tls !== undefined)
    host.report(
      'TULLE0208',
      `${at}/tls`,
      'a listener of protocol HTTP has no tls',
      'set protocol: HTTPS, or remove tls',
    );
  const ofMesh = tls?.options?.[CALLERS_OPTION] === 'mesh';
  if (ofMesh && (tls.certificateRefs?.length ?? 0) > 0)
    host.report(
      'TULLE0208',
      `${at}/tls/certificateRefs`,
      'callers of the mesh are shown the identity of the gateway, not a certificate of your own',
    );
  if (protocol === 'HTTPS' && !ofMesh && (tls?.certificateRefs?.length ?? 0) === 0)
    host.report(
      'TULLE0203',
      tls === undefined ? at : `${at}/tls`,
      'a listener of protocol HTTPS needs tls with one of certificateRefs',
      'tls: { certificateRefs: [{ name: … }] }',
    );
  if ((tls?.certificateRefs?.length ?? 0) > 1)
    host.report(
      'TULLE0207',
      `${at}/tls/certificateRefs/1`,
      'a listener shows one certificate',
      'give each hostname a listener of its own on the same port',
    );
  const { from, selector } = allowedRoutes?.namespaces ?? {};
  if (from === 'Selector' && selector === undefined)
    host.report('TULLE0203', `${at}/allowedRoutes/namespaces`, 'from: Selector needs the field "selector"');
  if (from !== 'Selector' && selector !== undefined)
    host.report(
      'TULLE0208',
      `${at}/allowedRoutes/namespaces/selector`,
      `a selector is used with from: Selector only, not with ${from ?? 'Same'}`,
    );
}
