import type { GRPCMethodMatch, GRPCRoute } from '../kinds/grpc-route.ts';
import { checkPattern, type CheckHost } from './check-host.ts';
import { checkRouteParts, checkValues } from './route-parts.ts';

/** What names of services and methods are made of (Gateway API `GRPCMethodMatch`, after protobuf's grammar). */
const SERVICE = /^\.?[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/;
const METHOD = /^[A-Za-z_]\w*$/;

export function checkGrpcRoute(route: GRPCRoute, host: CheckHost): void {
  checkRouteParts(route, host);
  for (const [i, { matches = [] }] of (route.spec.rules ?? []).entries()) {
    for (const [m, { method, headers = [] }] of matches.entries()) {
      const at = `/spec/rules/${i}/matches/${m}`;
      if (method !== undefined) checkMethod(method, `${at}/method`, host);
      checkValues(headers, ({ name }) => name.toLowerCase(), `${at}/headers`, host);
    }
  }
}

function checkMethod(
  { type = 'Exact', service, method }: GRPCMethodMatch,
  at: string,
  host: CheckHost,
): void {
  if (service === undefined && method === undefined) {
    host.report(
      'TULLE0203',
      at,
      'a condition on the method needs the field "service" or "method", or both',
      'leave method out for every gRPC request',
    );
    return;
  }
  for (const [field, value, names] of [
    ['service', service, SERVICE],
    ['method', method, METHOD],
  ] as const) {
    if (value === undefined) continue;
    if (type === 'RegularExpression') checkPattern(host, value, `${at}/${field}`);
    else if (!names.test(value)) {
      host.report(
        'TULLE0205',
        `${at}/${field}`,
        `${JSON.stringify(value)} is no name of a ${field}`,
        field === 'service'
          ? 'the full name without slashes, e.g. shop.v1.Orders; patterns need type: RegularExpression'
          : 'the name alone, e.g. PlaceOrder; patterns need type: RegularExpression',
      );
    }
  }
}
